"""The forward process of a whole graph: one `CategoricalNoise` for its nodes, one for its edges.

Given the clean graph, every node and every pair is noised independently, at the same pace ᾱ and each towards its own prior.
So each operation is that of `models.diffusion.noise`, once for the nodes and once for the edges.

Axes: b graphs, n nodes, k node states, l edge states. The states are the categories, and a mask state if the prior is absorbing.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from models.card.card import ModelCard
from models.diffusion.noise import CategoricalNoise
from models.diffusion.schedule import alpha_bar
from models.graphs import GraphBatch, GraphDistribution


class GraphNoise(nn.Module):
    """Noise on nodes and edges. Every method takes and returns both at once."""

    def __init__(self, nodes: CategoricalNoise, edges: CategoricalNoise) -> None:
        super().__init__()
        if nodes.num_timesteps != edges.num_timesteps:
            raise ValueError(f"nodes have {nodes.num_timesteps} timesteps, and edges {edges.num_timesteps}")
        self.nodes, self.edges = nodes, edges

    @staticmethod
    def of(card: ModelCard) -> "GraphNoise":
        """The noise that a card describes."""
        schedule = alpha_bar(card.diffusion)
        return GraphNoise(
            CategoricalNoise(schedule, torch.tensor(card.node_prior)),
            CategoricalNoise(schedule, torch.tensor(card.edge_prior)),
        )

    @property
    def num_timesteps(self) -> int:
        """T, the last timestep."""
        return self.nodes.num_timesteps

    @property
    def alpha_bar(self) -> Float[Tensor, " times"]:
        """ᾱ_0 … ᾱ_T, the same for nodes and edges."""
        return self.nodes.alpha_bar

    def prior(self, num_graphs: int, max_nodes: int) -> GraphDistribution:
        """p(z_T): the distribution of pure noise."""
        return GraphDistribution(
            self.nodes.prior.float().expand(num_graphs, max_nodes, -1),
            self.edges.prior.float().expand(num_graphs, max_nodes, max_nodes, -1),
        )

    def one_hot(self, graph: GraphBatch) -> GraphDistribution:
        """A graph as a distribution: all probability on its own categories, over the states of the noise."""
        return GraphDistribution(
            F.one_hot(graph.nodes, len(self.nodes.prior)).float(),
            F.one_hot(graph.edges, len(self.edges.prior)).float(),
        )

    def over_states(self, probs: GraphDistribution) -> GraphDistribution:
        """A distribution over categories as one over states: no clean graph is masked, so the mask state has probability 0."""
        return GraphDistribution(
            F.pad(probs.nodes, (0, len(self.nodes.prior) - probs.nodes.shape[-1])),
            F.pad(probs.edges, (0, len(self.edges.prior) - probs.edges.shape[-1])),
        )

    def transition(
        self, s: Int[Tensor, " b"], t: Int[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b k k"], Float[Tensor, "b l l"]]:
        """Q_{t|s} of nodes and of edges, for 0 <= s <= t <= T."""
        return self.nodes.transition(s, t), self.edges.transition(s, t)

    def corrupt(self, graph: GraphBatch, t: Int[Tensor, " b"]) -> GraphDistribution:
        """q(z_t | x): the distribution that a noisy graph is drawn from."""
        return GraphDistribution(self.nodes.corrupt(graph.nodes, t), self.edges.corrupt(graph.edges, t))

    def corrupt_probs(self, probs: GraphDistribution, t: Int[Tensor, " b"]) -> GraphDistribution:
        """Σ_x p(x) q(z_t | x): the same where the clean graph is only known as a distribution over states."""
        return GraphDistribution(self.nodes.corrupt_probs(probs.nodes, t), self.edges.corrupt_probs(probs.edges, t))

    def posterior(
        self, probs: GraphDistribution, z_t: GraphBatch, *, s: Int[Tensor, " b"], t: Int[Tensor, " b"]
    ) -> GraphDistribution:
        """p(z_s | z_t) when the clean graph follows `probs`, for 0 <= s < t <= T."""
        return GraphDistribution(
            self.nodes.posterior(probs.nodes, z_t.nodes, s=s, t=t),
            self.edges.posterior(probs.edges, z_t.edges, s=s, t=t),
        )
