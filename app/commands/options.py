"""Arguments and options that several commands have."""

from typing import Annotated

import typer

ModelArgument = Annotated[str, typer.Argument(help="Name of a checkpoint; `digress models` lists them.")]
SeedOption = Annotated[int | None, typer.Option(help="The same seed gives the same graphs.", min=0)]
StepsOption = Annotated[
    int | None, typer.Option("--num-steps", help="Denoising steps; the card's default if left out.", min=1)
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device", help="cpu, cuda or cuda:1; DIGRESS_DEVICE if left out, which is by itself a GPU if there is one."
    ),
]
SamplerOption = Annotated[str | None, typer.Option(help="Sampler by name; the card's default if left out.")]
