"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.shell_completion import model_names, sampler_names
from models.card.config import Estimator

ModelArgument = Annotated[
    str, typer.Argument(help="Name of a checkpoint; `digress models` lists them.", autocompletion=model_names)
]
SeedOption = Annotated[int | None, typer.Option(help="The same seed gives the same graphs.", min=0)]
StepsOption = Annotated[
    int | None, typer.Option("--num-steps", help="Denoising steps; the card's default if left out.", min=1)
]
SamplerOption = Annotated[
    str | None,
    typer.Option(help="Sampler by name; the card's default if left out.", autocompletion=sampler_names),
]
GraphsOutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="File for the graphs; its ending selects the format: JSON lines (.jsonl, .ndjson, .json), SMILES (.smi), "
        "a table (.csv) or an SD file (.sdf). JSON lines on standard output if left out.",
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="cpu, cuda or cuda:1; DIGRESS_DEVICE if left out, and without that a GPU if there is one.",
    ),
]
NumCandidatesOption = Annotated[int, typer.Option("--candidates", help="Graphs drawn for each one kept.", min=1)]
GuidanceScaleOption = Annotated[
    float | None,
    typer.Option(
        "--guidance-scale", help="How strongly to steer to the targets; the card's default if left out.", min=0
    ),
]
EstimatorOption = Annotated[
    Estimator | None,
    typer.Option(help="How the guided step is computed; gradient is DiGress's own. The card's default if left out."),
]
DftProcessesOption = Annotated[int, typer.Option("--jobs", help="Processes for dft, a core each.", min=1)]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
SaveOption = Annotated[bool, typer.Option("--save", help="Also put the measurement into the checkpoint's card.")]
