"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.requests import Wish
from app.commands.suggestions import model_names, sampler_names, targets
from app.schemas import MAX_GRAPHS
from models.card.config import Estimator

ModelArgument = Annotated[
    str, typer.Argument(help="Name of a checkpoint; `digress models` lists them.", autocompletion=model_names)
]
NumGraphsOption = Annotated[
    int | None, typer.Option("-n", "--num-graphs", help="How many graphs.", min=1, max=MAX_GRAPHS, show_default="1")
]
SeedOption = Annotated[int | None, typer.Option(help="The same seed gives the same graphs.", min=0)]
SizeOption = Annotated[str | None, typer.Option("--num-nodes", help="Nodes per graph, like 9, or a range, like 5-9.")]
StepsOption = Annotated[
    int | None, typer.Option("--num-steps", help="Denoising steps; the card's default if left out.", min=1)
]
SamplerOption = Annotated[
    str | None,
    typer.Option(help="Sampler by name; the card's default if left out.", autocompletion=sampler_names),
]
TargetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        help="Wanted property value, like mu=2.5; repeatable. `digress models` lists them.",
        autocompletion=targets,
    ),
]
GuidanceScaleOption = Annotated[float | None, typer.Option(help="How hard to steer to the targets.", min=0)]
EstimatorOption = Annotated[
    Estimator | None, typer.Option(help="How the guided step is found; gradient is DiGress's own.")
]
CandidatesOption = Annotated[
    int | None,
    typer.Option(help="Graphs drawn for each one kept: the one predicted nearest to the targets.", min=1),
]
FilterOption = Annotated[
    list[Wish] | None,
    typer.Option("--filter", help="Draw again what is not so, up to ten times; repeatable."),
]
GraphsOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="File for the graphs, by its ending: JSON lines, a graph a line (.jsonl, .ndjson, .json), SMILES (.smi) or "
        "an SD file (.sdf). JSON lines on standard output if left out.",
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device", help="cpu, cuda or cuda:1; DIGRESS_DEVICE if left out, which is by itself a GPU if there is one."
    ),
]
