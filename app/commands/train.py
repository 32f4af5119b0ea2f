"""`digress train`: checkpoints, made."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands.console import CommandError, require


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
        str | None, typer.Option(help="What the model of your --data is called; as the file is, if left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for state, logs and checkpoint; runs/NAME if left out.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")] = False,
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
    """Train a checkpoint; it can be stopped at any moment and loses a minute at most.

    Numeric columns of your own --data become properties that graphs can be steered to.

    Examples:
        digress train qm9 --max-minutes 90
        digress train qm9 --max-minutes 90 --resume
        digress train planar --set training.batch_size=64 --out runs/large-batches
        digress train --data molecules.csv --max-minutes 30
    """
    require("lightning", "train")
    require("qm9pack", "train")
    from app.settings import read_settings
    from models.data.files.parsed import DataFileError
    from models.training.folder import TrainingFolderError
    from models.training.plan import plan_runs
    from models.training.preset import PresetError, RegressorPreset

    try:
        runs = plan_runs(
            preset, data, name=name, out=out, resume=resume, max_minutes=max_minutes, overrides=overrides or []
        )
    except (PresetError, TrainingFolderError, DataFileError) as error:
        raise CommandError(str(error)) from error

    if data is not None:
        learned = [name for chosen, _ in runs if isinstance(chosen, RegressorPreset) for name in chosen.properties]
        print(f"properties that graphs can be steered to: {', '.join(learned) or 'none'}")

    from models.training.run import train as run  # slow to import, so after what can go wrong

    for chosen, folder in runs:
        try:
            checkpoints = folder.checkpoints or read_settings().checkpoints
            going_on = folder.state.exists()
            finished = run(chosen, folder, resume=going_on, devices=devices, checkpoints=checkpoints)
        except SystemExit:  # Lightning's answer to Ctrl-C, once it has saved
            finished = False
        except (PresetError, DataFileError) as error:
            raise CommandError(str(error)) from error
        if not finished:
            how = "go on with the same command and --resume" if folder.state.exists() else "nothing was saved yet"
            raise CommandError(f"stopped before its end; {how}")
    served = runs[-1][1].checkpoint
    print(f"the checkpoint is in {served}; serve it with DIGRESS_CHECKPOINTS={served.parent}")
