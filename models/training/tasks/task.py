"""What a training run trains: a module, its data, and what becomes of the averaged weights."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch

from models.data.batches import GraphDataset, LabelledDataset
from models.training.module import TrainingModule

Data = GraphDataset | LabelledDataset


class Task(ABC):
    """A module to train, and the three parts of its data."""

    module: TrainingModule
    train: Data
    validation: Data
    test: Data

    @abstractmethod
    def export(self, average: TrainingModule, *, gradient_steps: int) -> None:
        """Write the averaged weights as a checkpoint folder."""

    def report(self, metrics: Mapping[str, Any]) -> None:
        """Keep the metrics of the test that ends a training.

        DiGress: `on_test_epoch_end`, which also samples; here `digress evaluate` does.
        """
        return


_Module = TypeVar("_Module", bound=TrainingModule)


def seeded(seed: int, make: Callable[[], _Module]) -> _Module:
    """A module whose first weights depend on the seed alone."""
    # torch initialises weights from its global generator only.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()
