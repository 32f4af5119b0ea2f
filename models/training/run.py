"""One training run: a preset in, a checkpoint folder out, resumable at any moment (`models.training.folder`)."""

from datetime import timedelta
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from models.card.folder import shipped_checkpoints
from models.compute.precision import has_native_bfloat16
from models.compute.threads import prepare_thread
from models.data.batches import batches
from models.data.files.load import fingerprint
from models.training.ema import ExponentialMovingAverage
from models.training.folder import StateFile, TrainingFolder
from models.training.preset import DenoiserPreset, Preset, PresetError, RegressorPreset
from models.training.tasks.denoiser import DenoiserTask
from models.training.tasks.regressor import RegressorTask
from models.training.tasks.start_from import with_note_of_start
from models.training.tasks.task import Task

_ORDERS_PER_START = 1_000_000


def train(
    preset: Preset,
    folder: TrainingFolder,
    *,
    resume: bool,
    devices: str = "auto",
    progress: bool = True,
    checkpoints: Path | None = None,
) -> bool:
    """Train a preset; its checkpoint ends in `folder.checkpoint`. Returns whether it came to its end, or was stopped.

    The model of a regressor is looked for in `checkpoints`, or else among the shipped ones.

    Raises:
        TrainingFolderError: if the folder holds a run and `resume` is not set, or none and it is.
        CardError: if the model of a regressor, or the one to start from, has no sound checkpoint.
        PresetError: if a regressor is to learn a property that the data set does not have, a file of data has changed, or the
            checkpoint to start from is of another network.
        DataFileError: if a file holds no graphs to learn from.
        OSError: if it is gone.
    """
    _require_unchanged(preset)
    folder.require(run=resume)
    preset = preset if resume else with_note_of_start(preset)
    folder.save_preset(preset)
    prepare_thread()
    torch.set_float32_matmul_precision("high")
    task = _task(preset, folder, checkpoints or shipped_checkpoints(), resume=resume)
    # A run stopped within an epoch begins that epoch anew, in another order.
    order = preset.training.seed + folder.saved_step * _ORDERS_PER_START
    trainer = _trainer(preset, folder, task, devices=devices, progress=progress)
    size = preset.training.batch_size
    trainer.fit(
        task.module,
        batches(task.train, batch_size=size, seed=order),
        batches(task.validation, batch_size=size),
        ckpt_path=folder.state if resume else None,
        weights_only=True,
    )
    if task.module.progress < 1:
        return False
    # The callback has put the average in the module's place when training ended.
    trainer.test(task.module, batches(task.test, batch_size=size), verbose=False)
    if trainer.is_global_zero:
        task.report(trainer.callback_metrics)
    return True


def _trainer(preset: Preset, folder: TrainingFolder, task: Task, *, devices: str, progress: bool) -> Trainer:
    config, start = preset.training, folder.num_starts
    average = ExponentialMovingAverage(config.ema_decay)
    return Trainer(
        plugins=[StateFile()],
        devices=devices,
        max_epochs=-1,
        max_steps=config.max_steps,
        precision="bf16-mixed" if has_native_bfloat16(_training_device()) else "32-true",
        val_check_interval=config.validation_steps,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=50,
        logger=[
            CSVLogger(folder.root, name="logs", version=start),
            TensorBoardLogger(folder.root, name="logs", version=start),
        ],
        callbacks=[
            # Before the average, which takes the module's place in the end.
            ExportAverage(task, folder, average),
            average,
            ModelCheckpoint(
                folder.state.parent,
                filename="last",
                train_time_interval=timedelta(minutes=config.save_minutes),
                save_on_exception=True,
                enable_version_counter=False,
            ),
            *([TQDMProgressBar(refresh_rate=20)] if progress else []),
        ],
        enable_progress_bar=progress,
        enable_model_summary=False,
    )


def _require_unchanged(preset: Preset) -> None:
    """Make sure that a file to learn from is what it was when the preset was made.

    Raises:
        PresetError: if it is not.
        OSError: if it is gone.
    """
    if preset.dataset_sha256 is not None and fingerprint(Path(preset.dataset)) != preset.dataset_sha256:
        raise PresetError(
            f"{preset.dataset} has changed since this run was begun; start another one for it, in another folder"
        )


def _task(preset: Preset, folder: TrainingFolder, checkpoints: Path, *, resume: bool) -> Task:
    match preset:
        case DenoiserPreset():
            return DenoiserTask(preset, folder.checkpoint, resume=resume)
        case RegressorPreset():
            return RegressorTask(preset, folder.checkpoint, checkpoints=checkpoints)


class ExportAverage(Callback):
    """Writes the averaged weights as a checkpoint folder after every validation, and the last state in the end.

    DiGress samples and measures in `on_validation_epoch_end`; here `digress evaluate` does, on a checkpoint folder.
    There is no `on_train_epoch_end`: training counts steps and minutes.
    """

    def __init__(self, task: Task, folder: TrainingFolder, average: ExponentialMovingAverage) -> None:
        self.task, self.folder, self.average = task, folder, average

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._export(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._export(trainer)
        trainer.save_checkpoint(self.folder.state)

    def _export(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            self.task.export(self.average.average, gradient_steps=trainer.global_step)


def _training_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
