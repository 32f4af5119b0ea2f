"""The denoiser: noisy graph and time in, logits of the clean graph out.

    logits(x | z_t) = network(one-hot z_t, features(z_t), t) + residual(z_t, t)

The residual is what is known without any network. "posterior" is Bayes' rule for one node or pair alone,

    log p(x | z_t) = log m(x) + log q(z_t | x) + const,

which already knows how much noise there is at t, so that the network only learns what the rest of the graph adds.
"one_hot" adds the noisy category itself, as DiGress does (arXiv:2209.14734, appendix C).

Below `min_timestep` the network is called with t = `min_timestep`. There the forward process changes almost nothing,
so a network trained on such graphs trusts z_t blindly. But a sampler's z_t contains the network's own mistakes, and
it must go on correcting them.

What is given (`models.diffusion.context`) is flagged to a network that was trained so. Any other ignores it.

Inputs are differentiable functions of the one-hot noisy graph, except eigenvectors and resistances.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.card.card import ModelCard
from models.diffusion.context import NO_CONTEXT, Context
from models.diffusion.graph_noise import GraphNoise
from models.diffusion.sampler import DenoisingModel
from models.graphs import GraphBatch, GraphDistribution, GraphLogits
from models.networks.graph_transformer import GraphTransformer, Head
from models.networks.inputs import NetworkInputs
from models.networks.layout import edge_layout

_SMALLEST_PROBABILITY = 1e-20


class Denoiser(nn.Module, DenoisingModel):
    """The network of a card, with the features it reads and the noise it undoes.

    It is equivariant to the order of nodes (DiGress, Lemma 3.1).
    """

    def __init__(self, card: ModelCard) -> None:
        super().__init__()
        self.noise = GraphNoise.of(card)
        self.inputs = NetworkInputs(card, card.features)
        self.network = GraphTransformer(card.network, inputs=self.inputs.widths, graph_is_read=False)
        # They start at zero, so that a new network answers with the residual alone.
        self.node_head = Head(card.network.node_width, len(card.node_types))
        self.edge_head = Head(card.network.edge_width, len(card.edge_types))
        self.edge_layout = card.network.edge_layout
        self.min_timestep = card.diffusion.min_timestep
        self.reads_given = card.network.reads_given
        self.posterior_residual = card.network.residual == "posterior"
        self.register_buffer("node_marginals", torch.tensor(card.node_marginals), persistent=False)
        self.register_buffer("edge_marginals", torch.tensor(card.edge_marginals), persistent=False)

    node_marginals: Tensor
    edge_marginals: Tensor

    @property
    def num_timesteps(self) -> int:
        """T, the last timestep."""
        return self.noise.num_timesteps

    def forward(self, graph: GraphBatch, t: Int[Tensor, " b"], *, context: Context = NO_CONTEXT) -> GraphLogits:
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
            given=(context.given.nodes, layout.mask(context.given.pairs)) if context.given else None,
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
