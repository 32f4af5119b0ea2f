"""The denoiser: noisy graph and time in, logits of the clean graph out.

    logits(x | z_t) = network(one-hot z_t, features(z_t), t) + residual(z_t, t)

The residual is what is known without any network. "posterior" is Bayes' rule for one node or pair alone,

    log p(x | z_t) = log m(x) + log q(z_t | x) + const,

which already knows how much noise there is at t, so that the network only learns what the rest of the graph adds.
"one_hot" adds the noisy category itself, as DiGress does (arXiv:2209.14734, appendix C).

Below `min_timestep` the network is asked as if t were that. There the forward process leaves almost everything
as it was, so a network trained on it trusts z_t blindly; but a sampler's z_t also carries the network's own
mistakes, and these it must stay willing to mend.

Inputs are differentiable functions of the one-hot noisy graph, those from its eigenvectors and resistances apart.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.card.card import ModelCard
from models.card.config import FeatureConfig
from models.diffusion.graph_noise import GraphNoise
from models.diffusion.sampler import DenoisingModel
from models.features.cycles import cycle_counts, six_cycles
from models.features.molecular import MolecularFeatures
from models.features.random_walks import random_walks
from models.features.resistance import GRAPH_FEATURES, NODE_FEATURES, PAIR_FEATURES, resistance
from models.features.spectrum import spectrum
from models.graphs import GraphBatch, GraphDistribution, GraphLogits
from models.networks.graph_transformer import GraphTransformer, Head
from models.networks.layout import edge_layout

_SMALLEST_PROBABILITY = 1e-20
_CYCLE_LENGTHS = 3
_CYCLE_SCALE = 10.0


class Denoiser(nn.Module, DenoisingModel):
    """The network of a card, with the features it reads and the noise it undoes."""

    def __init__(self, card: ModelCard) -> None:
        super().__init__()
        self.noise = GraphNoise.of(card)
        self.inputs = NetworkInputs(card, card.features)
        self.network = GraphTransformer(card.network, inputs=self.inputs.widths, graph_is_read=False)
        # They start at zero, so that the residual speaks first.
        self.node_head = Head(card.network.node_width, len(card.node_types))
        self.edge_head = Head(card.network.edge_width, len(card.edge_types))
        self.edge_layout = card.network.edge_layout
        self.min_timestep = card.diffusion.min_timestep
        self.posterior_residual = card.network.residual == "posterior"
        self.register_buffer("node_marginals", torch.tensor(card.node_marginals), persistent=False)
        self.register_buffer("edge_marginals", torch.tensor(card.edge_marginals), persistent=False)

    node_marginals: Tensor
    edge_marginals: Tensor

    @property
    def num_timesteps(self) -> int:
        """T, the last timestep."""
        return self.noise.num_timesteps

    def forward(self, graph: GraphBatch, t: Int[Tensor, " b"]) -> GraphLogits:
        """Logits of p̂(x | z_t) over the card's node and edge types (never the mask state), in single precision."""
        t = t.clamp(min=self.min_timestep)
        noisy = self.noise.one_hot(graph)
        layout = edge_layout(self.edge_layout, graph.max_nodes, t.device)

        with torch.autocast(t.device.type, enabled=False):
            residual = self._residual(noisy, t)
            node_inputs, edge_inputs, global_inputs = self.inputs(
                noisy.nodes, noisy.edges, graph, t=t, noise=self.noise
            )
        node_stream, edge_stream, _ = self.network(
            node_inputs,
            layout.from_square(edge_inputs),
            global_inputs,
            layout=layout,
            node_mask=graph.node_mask,
            edge_mask=layout.mask(graph.edge_mask),
        )
        node_logits = self.node_head(node_stream).float()
        edge_logits = layout.to_square(self.edge_head(edge_stream).float())
        return GraphLogits(
            node_logits + residual.nodes, (edge_logits + edge_logits.transpose(1, 2)) / 2 + residual.edges
        )

    def _residual(self, noisy: GraphDistribution, t: Int[Tensor, " b"]) -> GraphLogits:
        """What is known without any network, by `NetworkConfig.residual`."""
        if not self.posterior_residual:
            return GraphLogits(
                noisy.nodes[..., : len(self.node_marginals)], noisy.edges[..., : len(self.edge_marginals)]
            )
        by_node, by_edge = self.noise.transition(torch.zeros_like(t), t)
        return GraphLogits(
            _log_joint(noisy.nodes, by_node, self.node_marginals), _log_joint(noisy.edges, by_edge, self.edge_marginals)
        )


def _log_joint(
    noisy: Float[Tensor, "b ... k"], transition: Float[Tensor, "b k k"], marginals: Float[Tensor, " types"]
) -> Float[Tensor, "b ... types"]:
    """Bayes' rule up to a constant, log m(x) + log q(z_t | x), for every clean category x."""
    num_types = len(marginals)
    likelihood = transition[:, :num_types].float()
    joint = (likelihood * marginals[:, None]).clamp(min=_SMALLEST_PROBABILITY).log()
    # One-hot rows pick their column; as a product it stays differentiable in the noisy graph.
    residual: Tensor = (noisy.flatten(1, -2) @ joint.mT).view(*noisy.shape[:-1], num_types)
    return residual


class NetworkInputs(nn.Module):
    """Everything that the network reads: one-hot categories, features of the noisy graph, time and size."""

    def __init__(self, card: ModelCard, features: FeatureConfig) -> None:
        super().__init__()
        self.num_node_types, self.num_edge_types = len(card.node_types), len(card.edge_types)
        self.features = features
        self.max_nodes = card.max_nodes
        if features.molecular:
            self.molecular = MolecularFeatures(card.node_types, card.edge_types, max_nodes=card.max_nodes)

        powers = features.random_walk_powers
        cycles = _CYCLE_LENGTHS if features.cycles else 0
        chemistry = features.molecular
        eigenvalues, is_spectral = features.eigenvalues, features.eigenvalues > 0
        node_inputs = len(card.node_prior) + 1 + powers + cycles + eigenvalues + is_spectral + 2 * chemistry
        edge_inputs = len(card.edge_prior) + powers + eigenvalues
        global_inputs = 3 + cycles + features.six_cycles + eigenvalues + is_spectral + chemistry
        if features.resistance:
            node_inputs, edge_inputs = node_inputs + NODE_FEATURES, edge_inputs + PAIR_FEATURES
            global_inputs += GRAPH_FEATURES
        self.widths = (node_inputs, edge_inputs, global_inputs)

    def forward(
        self,
        nodes: Float[Tensor, "b n k"],
        edges: Float[Tensor, "b n n l"],
        graph: GraphBatch,
        *,
        t: Int[Tensor, " b"],
        noise: GraphNoise,
    ) -> tuple[Float[Tensor, "b n _"], Float[Tensor, "b n n _"], Float[Tensor, "b _"]]:
        """Inputs for nodes, pairs and the whole graph; `graph` gives sizes and masks only."""
        node_mask = graph.node_mask
        adjacency = edges[..., 1 : self.num_edge_types].sum(-1) * graph.edge_mask
        node_inputs = [nodes, adjacency.sum(-1, keepdim=True) / 4]
        edge_inputs = [edges]
        global_inputs = [
            t[:, None] / noise.num_timesteps,
            noise.alpha_bar[t][:, None].float(),
            graph.num_nodes[:, None] / self.max_nodes,
        ]

        if self.features.random_walk_powers:
            walks = random_walks(adjacency, self.features.random_walk_powers)
            node_inputs.append(walks.diagonal(dim1=1, dim2=2).mT)
            edge_inputs.append(walks)
        if self.features.cycles:
            cycles = cycle_counts(adjacency)
            lengths = torch.arange(3, 3 + _CYCLE_LENGTHS, device=cycles.device)
            node_inputs.append((cycles / _CYCLE_SCALE).clamp(max=1))
            global_inputs.append((cycles.sum(1) / lengths / _CYCLE_SCALE).clamp(max=1))
        if self.features.six_cycles:
            global_inputs.append((six_cycles(adjacency)[:, None] / _CYCLE_SCALE).clamp(max=1))
        if self.features.eigenvalues:
            shape = spectrum(adjacency, node_mask, self.features.eigenvalues)
            node_inputs += [shape.not_largest, shape.projections.diagonal(dim1=1, dim2=2).mT]
            edge_inputs.append(shape.projections)
            global_inputs += [shape.components, shape.eigenvalues]
        if self.features.resistance:
            apart = resistance(adjacency, node_mask)
            node_inputs.append(apart.nodes)
            edge_inputs.append(apart.pairs)
            global_inputs.append(apart.graph)
        if self.features.molecular:
            bonds = edges[..., : self.num_edge_types] * graph.edge_mask[..., None]
            per_atom, weight = self.molecular(nodes[..., : self.num_node_types], bonds, node_mask)
            node_inputs.append(per_atom)
            global_inputs.append(weight)
        return torch.cat(node_inputs, -1), torch.cat(edge_inputs, -1), torch.cat(global_inputs, -1)
