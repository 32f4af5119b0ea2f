"""`digress train`: train a checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.console import CommandError, as_command_errors, require_extra

if TYPE_CHECKING:
    from models.training.folder import TrainingFolder
    from models.training.preset import Preset


def train(
    preset: Annotated[
        str | None, typer.Argument(help="Name of a preset, like qm9; `models/training/presets` has them all.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Your own graphs instead of a preset's: SMILES (.smi, or .csv with properties), node-link JSON lines, GraphML."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model of your --data; the file's name if left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for state, logs and checkpoint; runs/NAME if left out.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in that folder.")] = False,
    max_minutes: Annotated[
        float | None, typer.Option(help="Minutes of training, over all resumptions.", min=0.01)
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Change the preset, like training.batch_size=64; repeatable.")
    ] = None,
    devices: Annotated[
        str, typer.Option(help="GPUs, as Lightning counts them: auto, 2, 0,1; processes without a GPU.")
    ] = "auto",
) -> None:
    """Train a checkpoint. You can stop it at any moment and lose at most a minute of work.

    Numeric columns of your own --data become properties that graphs can be steered to.

    Examples:
        digress train qm9 --max-minutes 90
        digress train qm9 --max-minutes 90 --resume
        digress train planar --set training.batch_size=64 --out runs/large-batches
        digress train --data molecules.csv --max-minutes 30
    """
    require_extra("train", "lightning", "qm9pack")
    from models.data.files.parsed import DataFileError
    from models.training.folder import TrainingFolderError
    from models.training.plan import plan_runs
    from models.training.preset import PresetError, RegressorPreset

    with as_command_errors(PresetError, TrainingFolderError, DataFileError):
        runs = plan_runs(
            preset, data, name=name, out=out, resume=resume, max_minutes=max_minutes, overrides=overrides or []
        )
    if data is not None:
        learned = [name for chosen, _ in runs if isinstance(chosen, RegressorPreset) for name in chosen.properties]
        print(f"properties that graphs can be steered to: {', '.join(learned) or 'none'}")
    for chosen, folder in runs:
        with as_command_errors(PresetError, DataFileError):
            _run(chosen, folder, devices=devices)
    served = runs[-1][1].checkpoint
    print(f"the checkpoint is in {served}; serve it with DIGRESS_CHECKPOINTS={served.parent}")


def _run(preset: "Preset", folder: "TrainingFolder", *, devices: str) -> None:
    """Train a preset in its folder; continue if there is a saved state.

    Raises:
        CommandError: if the user stops it.
    """
    from app.settings import read_settings
    from models.training.run import train as run  # slow to import, so after what can go wrong

    checkpoints = folder.checkpoints or read_settings().checkpoints
    try:
        finished = run(preset, folder, resume=folder.state.exists(), devices=devices, checkpoints=checkpoints)
    except SystemExit:  # Lightning's answer to Ctrl-C, once it has saved
        finished = False
    if not finished:
        how = "continue with the same command and --resume" if folder.state.exists() else "nothing was saved yet"
        raise CommandError(f"stopped before its end; {how}")
