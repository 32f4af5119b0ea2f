"""What `digress train` trains, one run after the other, and in which folders.

A preset is one run. A file with properties is two: the model, and in the folder `regressor` inside that of the model
the regressor that steers it, whose weights go into the model's checkpoint folder.
"""

from collections.abc import Sequence
from pathlib import Path

from models.data.catalogue import labelled_file
from models.training.file_presets import model_preset, model_share, name_of, regressor_preset
from models.training.folder import TrainingFolder
from models.training.preset import DenoiserPreset, Preset, PresetError, available_presets, load_preset, saved_preset

Run = tuple[Preset, TrainingFolder]


def plan_runs(
    preset: str | None,
    file: Path | None,
    *,
    name: str | None,
    out: Path | None,
    resume: bool,
    max_minutes: float | None,
    overrides: Sequence[str],
) -> list[Run]:
    """The runs of a preset, or of a file, each with its folder.

    Raises:
        PresetError: if what is asked for is no preset, does not fit, or is neither a preset nor a file.
        TrainingFolderError: if the folder holds a run and `resume` is not set, or none and it is.
        DataFileError: if the file holds no graphs to learn from.
        OSError: if it cannot be opened.
    """
    if (preset is None) == (file is None):
        raise PresetError(
            f"name a preset ({', '.join(available_presets())}), or give a file of your own by --data; one of the two"
        )
    if preset is not None:
        if name is not None:
            raise PresetError("--name is for --data; a preset has a name, which --set name=… changes")
        changes = _changes(overrides, max_minutes)
        chosen = load_preset(preset, changes)
        root = out or Path("runs") / preset
        return [_run(saved_preset(root, changes) if resume else chosen, root, resume=resume)]

    assert file is not None
    data = labelled_file(file)
    name = name or name_of(file)
    root = out or Path("runs") / name
    if resume:
        minutes = None if max_minutes is None else max_minutes * model_share(data)
        model = saved_preset(root, _changes(overrides, minutes))
    else:
        model = model_preset(file, data, name=name, max_minutes=max_minutes, overrides=overrides)
    runs = [_run(model, root, resume=resume)]
    if data.labels.properties and isinstance(model, DenoiserPreset):
        regressor = regressor_preset(model, data)
        runs.append((regressor, TrainingFolder(root / "regressor", regressor.checkpoint, root)))
    return runs


def _run(preset: Preset, root: Path, *, resume: bool) -> Run:
    folder = TrainingFolder(root, preset.checkpoint)
    folder.require(run=resume)
    return preset, folder


def _changes(overrides: Sequence[str], max_minutes: float | None) -> list[str]:
    return [*overrides, *([] if max_minutes is None else [f"training.max_minutes={max_minutes}"])]
