"""The regressor: noisy graph and time in, a distribution over each property of the clean graph out.

The trunk is the denoiser's (`models.networks.graph_transformer`). Its last streams are read
twice: as pooled statistics, and as a sum over nodes, since many properties are sums of contributions of atoms:

    readout = MLP(y, pool(X), pool(E), Σ_i X_i / n_max)

The answer for a property is a distribution (`models.properties`), so the network also predicts its own uncertainty:
large at high noise, small near the clean graph, and larger for some molecules than for others.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.card.card import ModelCard, RegressorCard
from models.diffusion.graph_noise import GraphNoise
from models.diffusion.targets import PropertyModel
from models.graphs import GraphBatch
from models.networks.graph_transformer import GraphTransformer
from models.networks.inputs import NetworkInputs
from models.networks.layout import edge_layout
from models.networks.pooling import STATISTICS, masked_statistics
from models.properties import PropertyDistribution

_SMALLEST_SCALE = 0.01
_ROWS = 32


class Regressor(nn.Module, PropertyModel):
    """The network of one regressor of a model's card."""

    mean: Tensor
    std: Tensor

    def __init__(self, card: ModelCard, regressor: RegressorCard) -> None:
        super().__init__()
        self.noise = GraphNoise.of(card)
        config = regressor.network
        self.inputs = NetworkInputs(card, regressor.features)
        self.network = GraphTransformer(config, inputs=self.inputs.widths, graph_is_read=True)
        self.edge_layout = config.edge_layout
        self.max_nodes = card.max_nodes
        width = config.global_width + (STATISTICS + 1) * config.node_width + STATISTICS * config.edge_width
        properties = regressor.properties
        self.readout = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, config.node_hidden),
            nn.SiLU(),
            nn.Linear(config.node_hidden, 2 * len(properties)),
        )
        self.register_buffer("mean", torch.tensor([p.mean for p in properties]), persistent=False)
        self.register_buffer("std", torch.tensor([p.std for p in properties]), persistent=False)

    @property
    def num_timesteps(self) -> int:
        """T, the last timestep."""
        return self.noise.num_timesteps

    def forward(self, graph: GraphBatch, t: Int[Tensor, " b"]) -> PropertyDistribution:
        """The properties of the clean graph, given that it is `graph` at time t, 0 <= t <= T."""
        return self.from_one_hot(*self.one_hot(graph), graph, t)

    def _read_out(self, graphs: Float[Tensor, "b _"]) -> Float[Tensor, "b _"]:
        """In whole blocks of rows: a product rounds the rows of an incomplete block differently, and a graph's batch must not matter."""
        answers: Tensor = self.readout(F.pad(graphs, (0, 0, 0, -len(graphs) % _ROWS)))
        return answers[: len(graphs)]

    def one_hot(self, graph: GraphBatch) -> tuple[Float[Tensor, "b n k"], Float[Tensor, "b n n l"]]:
        """The noisy categories as the network reads them."""
        categories = self.noise.one_hot(graph)
        return categories.nodes, categories.edges

    def from_one_hot(
        self, nodes: Float[Tensor, "b n k"], edges: Float[Tensor, "b n n l"], graph: GraphBatch, t: Int[Tensor, " b"]
    ) -> PropertyDistribution:
        """The same as a differentiable function of one-hot categories; `graph` gives sizes only."""
        node_mask = graph.node_mask
        layout = edge_layout(self.edge_layout, graph.max_nodes, nodes.device)
        edge_mask = layout.mask(graph.edge_mask)
        with torch.autocast(nodes.device.type, enabled=False):
            node_inputs, edge_inputs, global_inputs = self.inputs(nodes, edges, graph, t=t, noise=self.noise)
        x, e, y = self.network(
            node_inputs,
            layout.from_square(edge_inputs),
            global_inputs,
            layout=layout,
            node_mask=node_mask,
            edge_mask=edge_mask,
        )
        total = (x * node_mask[..., None]).sum(1) / self.max_nodes
        with torch.autocast(nodes.device.type, enabled=False):
            streams = [y, masked_statistics(x, node_mask), masked_statistics(e, edge_mask), total]
            location, scale = self._read_out(torch.cat(streams, -1)).chunk(2, dim=-1)
            return PropertyDistribution(
                self.mean + self.std * location, self.std * (F.softplus(scale) + _SMALLEST_SCALE)
            )
