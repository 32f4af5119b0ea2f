"""The data sets there are: those of this package by name, and files of the user's own by path.

A new data set is a file beside this one and an entry in `DATASETS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from models.card.card import ModelCard
from models.card.config import RegressorRole
from models.data import qm9, qm9_properties, zinc250k
from models.data.dataset import SPLITS, GraphData, LabelledGraphs
from models.data.files.load import load_file
from models.data.named import LabelledSplits, Labels, NamedDataset, PropertySource
from models.data.synthetic import FAMILIES, load_synthetic

_QM9 = NamedDataset(
    "qm9", "QM9", qm9.load_qm9, canonical_molecules=qm9.canonical_molecules, labels=qm9_properties.LABELS
)

DATASETS: Final[Mapping[str, NamedDataset]] = MappingProxyType(
    {
        dataset.name: dataset
        for dataset in (
            _QM9,
            NamedDataset(
                "qm9-h",
                "QM9 with hydrogens",
                partial(qm9.load_qm9, draw_hydrogens=True),
                canonical_molecules=qm9.canonical_molecules,
            ),
            NamedDataset(
                "zinc250k", "ZINC250k", zinc250k.load_zinc250k, canonical_molecules=zinc250k.canonical_molecules
            ),
            *(NamedDataset(family, family, partial(load_synthetic, family)) for family in FAMILIES),
        )
    }
)


@dataclass(frozen=True)
class LabelledData:
    """A data set whose graphs have properties."""

    graphs: GraphData
    labels: Labels

    @property
    def property_names(self) -> list[str]:
        """What its properties are called, in order."""
        return [known.name for known in self.labels.properties]

    def splits_for(self, role: RegressorRole) -> LabelledSplits:
        """What a regressor is to learn from, by what it is for."""
        values = self.labels.load()
        parts = {name: LabelledGraphs(getattr(self.graphs, name), values[name]) for name in SPLITS}
        return self.labels.split_for(LabelledSplits(**parts, split=self.graphs.split), role)


def load_dataset(source: str) -> GraphData:
    """A data set by name, built or read from the cache, or a file's.

    Raises:
        DataFileError: if a file holds no graphs to learn from.
        OSError: if there is neither a data set nor a file of that name.
    """
    return DATASETS[source].load() if source in DATASETS else load_file(Path(source)).graphs


def load_labelled(source: str) -> LabelledData:
    """A data set with its properties, by name, or a file's.

    Raises:
        DataFileError: if a file holds no graphs to learn from.
        OSError: if there is neither a data set with properties nor a file of that name.
    """
    named = DATASETS.get(source)
    if named is not None and named.labels is not None:
        return LabelledData(named.load(), named.labels)
    return labelled_file(Path(source))


def labelled_file(path: Path) -> LabelledData:
    """A file's data set with its properties, whatever the file is called.

    Raises:
        DataFileError: if the file holds no graphs to learn from.
        OSError: if there is no such file.
    """
    data = load_file(path)
    described = [PropertySource(name, "", f"{name} in {data.graphs.name}") for name in data.properties]
    return LabelledData(data.graphs, Labels(described, lambda: data.values))


def reference_molecules(data: GraphData, split: str) -> list[str] | None:
    """The molecules of a split as canonical SMILES, if the data set has them beside its graphs."""
    named = DATASETS.get(data.name)
    return named.canonical_molecules(split) if named and named.canonical_molecules else None


def targets_for(card: ModelCard) -> tuple[str, Labels]:
    """Properties of molecules to steer a model to, and what their data set is called: the model's own, or QM9 if that has none."""
    named = DATASETS.get(card.training.dataset) if card.training else None
    if named is None or named.labels is None:
        named = _QM9
    assert named.labels is not None
    return named.title, named.labels
