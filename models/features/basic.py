"""What every network reads: the noisy categories, each node's degree, the time, and the size of the graph."""

import torch

from models.card.card import ModelCard
from models.card.config import FeatureConfig
from models.features.feature import Feature, FeatureValues, NoisyGraph, Widths

_DEGREE_SCALE = 4.0


class Categories(Feature):
    """The one-hot noisy categories, the mask state included."""

    def __init__(self, num_node_states: int, num_edge_states: int) -> None:
        super().__init__()
        self.widths = Widths(nodes=num_node_states, pairs=num_edge_states)

    @classmethod
    def of(cls, card: ModelCard, config: FeatureConfig) -> Feature:
        return cls(len(card.node_prior), len(card.edge_prior))

    def forward(self, noisy: NoisyGraph) -> FeatureValues:
        return FeatureValues(nodes=noisy.nodes, pairs=noisy.edges)


class Degree(Feature):
    """How many edges each node has, over 4."""

    widths = Widths(nodes=1)

    @classmethod
    def of(cls, card: ModelCard, config: FeatureConfig) -> Feature:
        return cls()

    def forward(self, noisy: NoisyGraph) -> FeatureValues:
        return FeatureValues(nodes=noisy.adjacency.sum(-1, keepdim=True) / _DEGREE_SCALE)


class Time(Feature):
    """t/T and ᾱ_t."""

    widths = Widths(graph=2)

    @classmethod
    def of(cls, card: ModelCard, config: FeatureConfig) -> Feature:
        return cls()

    def forward(self, noisy: NoisyGraph) -> FeatureValues:
        return FeatureValues(graph=torch.cat([noisy.t[:, None] / noisy.num_timesteps, noisy.alpha_bar[:, None]], -1))


class Size(Feature):
    """The number of nodes, as a share of the largest graph's."""

    widths = Widths(graph=1)

    def __init__(self, max_nodes: int) -> None:
        super().__init__()
        self.max_nodes = max_nodes

    @classmethod
    def of(cls, card: ModelCard, config: FeatureConfig) -> Feature:
        return cls(card.max_nodes)

    def forward(self, noisy: NoisyGraph) -> FeatureValues:
        return FeatureValues(graph=noisy.num_nodes[:, None] / self.max_nodes)
