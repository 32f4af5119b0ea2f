"""What a feature is: a function of the noisy graph that the network reads beside its categories.

A feature may say something of every node, of every pair and of the whole graph:

    nodes (b, n, ·)    pairs (b, n, n, ·)    graph (b, ·)

and says beforehand how many numbers each of them gets (`Widths`). The network reads all features side by side, in the order of
`models.features.catalogue.FEATURES`.

DiGress calls this extra data (`compute_extra_data`).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from models.card.card import ModelCard
from models.card.config import FeatureConfig


@dataclass(frozen=True)
class NoisyGraph:
    """What features are computed from. Categories may be any point between one-hot rows: gradients go through them.

    `adjacency` is the sum over bond types and zero at padding and on the diagonal; `nodes` and `edges` are whatever they are there.
    """

    nodes: Float[Tensor, "b n k"]
    edges: Float[Tensor, "b n n l"]
    adjacency: Float[Tensor, "b n n"]
    node_mask: Bool[Tensor, "b n"]
    edge_mask: Bool[Tensor, "b n n"]
    num_nodes: Int[Tensor, " b"]
    t: Int[Tensor, " b"]
    alpha_bar: Float[Tensor, " b"]
    num_timesteps: int


@dataclass(frozen=True)
class Widths:
    """How many numbers there are for every node, for every pair, and for the graph."""

    nodes: int = 0
    pairs: int = 0
    graph: int = 0

    def __add__(self, other: "Widths") -> "Widths":
        return Widths(self.nodes + other.nodes, self.pairs + other.pairs, self.graph + other.graph)


@dataclass(frozen=True)
class FeatureValues:
    """A feature of b graphs; None where its width is 0."""

    nodes: Float[Tensor, "b n _"] | None = None
    pairs: Float[Tensor, "b n n _"] | None = None
    graph: Float[Tensor, "b _"] | None = None


class Feature(nn.Module, ABC):
    """One feature. It has no weights; buffers are not saved, so that they stay out of checkpoints."""

    widths: Widths
    description: str | None = None
    """For the page of a model; None for what every network reads."""

    @classmethod
    @abstractmethod
    def of(cls, card: ModelCard, config: FeatureConfig) -> "Feature | None":
        """The feature for the graphs of a card, or None if the settings leave it out."""

    @abstractmethod
    def forward(self, noisy: NoisyGraph) -> FeatureValues:
        """The feature of each graph, of the widths that it says."""
