"""What a network reads of a noisy graph: all features of `models.features.catalogue`, side by side."""

from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.card.card import ModelCard
from models.card.config import FeatureConfig
from models.diffusion.graph_noise import GraphNoise
from models.features.catalogue import features_of
from models.features.feature import NoisyGraph, Widths
from models.graphs import GraphBatch


class NetworkInputs(nn.Module):
    """The features that a card's network reads. They have no weights.

    DiGress: `compute_extra_data` with `ExtraFeatures` and `ExtraMolecularFeatures`, and the concatenation in `forward`.
    """

    def __init__(self, card: ModelCard, config: FeatureConfig) -> None:
        super().__init__()
        self.num_edge_types = len(card.edge_types)
        features = features_of(card, config)
        self.features = nn.ModuleList(features)
        self.widths = sum((feature.widths for feature in features), Widths())

    def forward(
        self,
        nodes: Float[Tensor, "b n k"],
        edges: Float[Tensor, "b n n l"],
        graph: GraphBatch,
        *,
        t: Int[Tensor, " b"],
        noise: GraphNoise,
    ) -> tuple[Float[Tensor, "b n _"], Float[Tensor, "b n n _"], Float[Tensor, "b _"]]:
        """Inputs for nodes, pairs and the whole graph, given one-hot categories; `graph` gives sizes and masks only."""
        edge_mask = graph.edge_mask
        noisy = NoisyGraph(
            nodes=nodes,
            edges=edges,
            adjacency=edges[..., 1 : self.num_edge_types].sum(-1) * edge_mask,
            node_mask=graph.node_mask,
            edge_mask=edge_mask,
            num_nodes=graph.num_nodes,
            t=t,
            alpha_bar=noise.alpha_bar[t].float(),
            num_timesteps=noise.num_timesteps,
        )
        values = [feature(noisy) for feature in self.features]
        return _joined(v.nodes for v in values), _joined(v.pairs for v in values), _joined(v.graph for v in values)


def _joined(parts: Iterable[Tensor | None]) -> Tensor:
    return torch.cat([part for part in parts if part is not None], -1)
