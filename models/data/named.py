"""What the package needs to know of a data set that has a name: the graphs, and what else there is about them.

molecules   canonical SMILES of a split, where graphs are molecules: the reference of the metrics
labels      properties of every graph, and which graphs a guide and a judge learn from

`models.data.catalogue` lists them. Nothing else in the package knows one data set from another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from models.card.config import RegressorRole
from models.data.dataset import GraphData, LabelledGraphs


@dataclass(frozen=True)
class PropertySource:
    """A property, and where its values come from: a column of the data set's tables times a factor, or RDKit."""

    name: str
    unit: str
    description: str
    column: str | None = None
    factor: float = 1.0


@dataclass(frozen=True)
class LabelledSplits:
    """Graphs with properties to train, validate and test a regressor with; `split` says which they are, for the card."""

    train: LabelledGraphs
    validation: LabelledGraphs
    test: LabelledGraphs
    split: str

    def with_properties(self, columns: Sequence[int]) -> "LabelledSplits":
        """The same with these properties alone."""
        return replace(
            self,
            train=self.train.with_properties(columns),
            validation=self.validation.with_properties(columns),
            test=self.test.with_properties(columns),
        )


def for_every_role(splits: LabelledSplits, role: RegressorRole) -> LabelledSplits:
    """The whole data set, whatever the regressor is for."""
    return splits


@dataclass(frozen=True)
class Labels:
    """The properties of a data set's graphs."""

    properties: Sequence[PropertySource]
    load: Callable[[], dict[str, Float[Tensor, "b p"]]]
    """The values of each split's graphs, in the same order."""
    split_for: Callable[[LabelledSplits, RegressorRole], LabelledSplits] = for_every_role
    """What a guide learns from, and what a judge: of graphs that the guide has seen, a judge would repeat its mistakes."""


@dataclass(frozen=True)
class NamedDataset:
    """A data set of this package; `title` is what its authors call it."""

    name: str
    title: str
    load: Callable[[], GraphData]
    canonical_molecules: Callable[[str], list[str]] | None = None
    labels: Labels | None = None
