"""Training a new model: its card comes from the data, its weights go into a checkpoint folder."""

from pathlib import Path

from models.card.card import ModelCard
from models.checkpoint import save_checkpoint
from models.data.batches import GraphDataset
from models.data.catalogue import load_dataset
from models.data.dataset import GraphData
from models.training.denoising import DiffusionModule, denoiser_of
from models.training.module import TrainingModule
from models.training.preset import DenoiserPreset
from models.training.tasks.record import new_record, record_so_far
from models.training.tasks.start_from import weights_for
from models.training.tasks.task import Task, seeded


class DenoiserTask(Task):
    """A model from the beginning, or from another one's weights.

    Raises:
        CardError: if it is to start from a folder that has no sound checkpoint.
        PresetError: if that checkpoint's network is another one, or for other graphs.
    """

    def __init__(self, preset: DenoiserPreset, folder: Path, *, resume: bool = False) -> None:
        self._folder = folder
        data = load_dataset(preset.dataset)
        self._card = describe(preset, data)
        self._record = new_record(preset, data.split, len(data.train), notes=data.notes)
        self.module = seeded(preset.training.seed, lambda: DiffusionModule(self._card, preset.training))
        if preset.training.start_from is not None and not resume:
            denoiser = denoiser_of(self.module)
            denoiser.load_state_dict(weights_for(denoiser, self._card, Path(preset.training.start_from)))
        self.train = GraphDataset(data.train)
        self.validation = GraphDataset(data.validation[: preset.training.validation_graphs])
        self.test = GraphDataset(data.test[: preset.training.validation_graphs])

    def export(self, average: TrainingModule, *, gradient_steps: int) -> None:
        record = record_so_far(self._record, self.module, gradient_steps)
        card = self._card.model_copy(update={"training": record})
        save_checkpoint(card, denoiser_of(average), self._folder)


def describe(preset: DenoiserPreset, data: GraphData) -> ModelCard:
    """The card of a model that has not been trained yet."""
    return ModelCard(
        name=preset.name,
        version=preset.version,
        description=preset.description,
        licence=preset.licence,
        domain=data.domain,
        node_types=data.node_types,
        edge_types=data.edge_types,
        node_marginals=data.node_marginals(),
        edge_marginals=data.edge_marginals(),
        size_distribution=data.size_distribution(),
        max_nodes=data.max_nodes,
        validity=data.validity,
        diffusion=preset.diffusion,
        features=preset.features,
        network=preset.network.model_copy(update={"reads_given": preset.training.given}),
        sampling=preset.sampling,
    )
