"""One training run: a preset in, a checkpoint folder out, resumable at any moment (`models.training.folder`)."""

import os
import platform
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from models.card import ModelCard, TrainingRecord
from models.checkpoint import save_checkpoint
from models.data.dataset import GraphData, batches
from models.data.qm9 import load_qm9
from models.precision import has_native_bfloat16
from models.training.ema import ExponentialMovingAverage
from models.training.folder import StateFile, TrainingFolder
from models.training.module import DiffusionModule, denoiser_of
from models.training.preset import Preset

SAVE_EVERY = timedelta(minutes=1)
_ORDERS_PER_START = 1_000_000


def train(
    preset: Preset, folder: TrainingFolder, *, resume: bool, devices: str = "auto", progress: bool = True
) -> bool:
    """Train a preset; its checkpoint ends in `folder.checkpoint`. Returns whether it came to its end, or was stopped.

    Raises:
        TrainingFolderError: if the folder holds a run and `resume` is not set, or none and it is.
    """
    folder.require(run=resume)
    folder.save_preset(preset)
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision("high")
    data = load_data(preset)
    card = describe(preset, data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(preset.training.seed)  # torch initialises weights from its global generator only
        module = DiffusionModule(card, preset.training)
    average = ExponentialMovingAverage(preset.training.ema_decay)
    config = preset.training
    # A run stopped within an epoch begins that epoch anew, in another order.
    order = config.seed + folder.saved_step * _ORDERS_PER_START
    start = folder.num_starts
    trainer = Trainer(
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
            ExportAverage(card, folder, average),
            average,
            ModelCheckpoint(
                folder.state.parent,
                filename="last",
                train_time_interval=SAVE_EVERY,
                save_on_exception=True,
                enable_version_counter=False,
            ),
            *([TQDMProgressBar(refresh_rate=20)] if progress else []),
        ],
        enable_progress_bar=progress,
        enable_model_summary=False,
    )
    trainer.fit(
        module,
        batches(data.train, batch_size=config.batch_size, seed=order),
        batches(data.validation[: config.validation_graphs], batch_size=config.batch_size),
        ckpt_path=folder.state if resume else None,
        weights_only=True,
    )
    if module.progress < 1:
        return False
    # The callback has put the average in the module's place when training ended.
    test = data.test[: config.validation_graphs]
    trainer.test(module, batches(test, batch_size=config.batch_size), verbose=False)
    return True


def load_data(preset: Preset) -> GraphData:
    """The data set that a preset names."""
    match preset.dataset:
        case "qm9":
            return load_qm9()


def describe(preset: Preset, data: GraphData) -> ModelCard:
    """The card of a model that has not been trained yet."""
    return ModelCard(
        name=preset.name,
        version=preset.version,
        description=preset.description,
        licence=preset.licence,
        domain="molecule",
        node_types=data.node_types,
        edge_types=data.edge_types,
        node_marginals=data.node_marginals(),
        edge_marginals=data.edge_marginals(),
        size_distribution=data.size_distribution(),
        max_nodes=data.max_nodes,
        diffusion=preset.diffusion,
        features=preset.features,
        network=preset.network,
        sampling=preset.sampling,
        training=TrainingRecord(
            dataset=data.name,
            split=data.split,
            num_graphs=len(data.train),
            preset=preset.name,
            seed=preset.training.seed,
            gradient_steps=0,
            recipe=preset.training.model_dump(mode="json"),
            minutes=0.0,
            hardware=_hardware(),
            code_version=version("digress-serve"),
            finished=False,
            notes=[*data.notes, *preset.notes],
        ),
    )


class ExportAverage(Callback):
    """Writes the averaged weights as a checkpoint folder after every validation, and the last state in the end."""

    def __init__(self, card: ModelCard, folder: TrainingFolder, average: ExponentialMovingAverage) -> None:
        self.card, self.folder, self.average = card, folder, average

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._export(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._export(trainer, pl_module)
        trainer.save_checkpoint(self.folder.state)

    def _export(self, trainer: Trainer, module: LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(module, DiffusionModule) or self.card.training is None:
            return
        record = self.card.training.model_copy(
            update={
                "gradient_steps": trainer.global_step,
                "minutes": round(module.clock.minutes, 2),
                "finished": module.progress >= 1,
            }
        )
        card = self.card.model_copy(update={"training": record})
        save_checkpoint(card, denoiser_of(self.average.average), self.folder.checkpoint)


def _training_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _hardware() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{torch.get_num_threads()} thread(s) of {_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
