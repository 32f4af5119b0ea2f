"""The graph transformer: attention among nodes, modulated by edges and by what is known of the whole graph.

Nodes X, edges E and the graph y each have a residual stream. In every layer

    scores  = (q_i · k_j / √d) (1 + E_ij W_mul) + E_ij W_add         FiLM of the attention by the edge
    X_i    += FiLM_y( Σ_j softmax_j(scores) v_j + Σ_j E_ij W / √n )
    E_ij   += FiLM_y( scores_ij W + X_i U + X_j U + T_ij W )
    y      += y W + pool(X) + pool(E)

then a feed-forward network on each stream. Norms come first (pre-norm). With `edge_attention = "head"` a score
is one number per head; with "channel" it is one per channel, q_i ⊙ k_j, which is DiGress's own form and needs
node_width / num_heads times the memory per edge.

T_ij = Σ_k (E_ik W_first) ⊙ (E_kj W_second) / √n, over `triangle_width` channels, lets a pair see the triangles that it is
part of: what joins its two nodes by way of a third. Without it (0 channels, as in DiGress) that is known from the
features of the noisy graph alone, not from what earlier layers have made of it.

References:
    Vignac et al. 2023, DiGress, arXiv:2209.14734, section 4.4 and appendix C
    Perez et al. 2018, FiLM, arXiv:1709.07871
    Maron et al. 2019, Provably powerful graph networks, arXiv:1905.11136 (products of edge matrices)

Axes: b graphs, n nodes, m stored edges (`models.networks.layout`), h heads.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from models.card.config import NetworkConfig
from models.compute.arithmetic import softmax
from models.features.feature import Widths
from models.networks.layout import EdgeLayout
from models.networks.pooling import STATISTICS, masked_statistics


class GraphTransformer(nn.Module):
    """Features in, the three streams out; equivariant to the order of nodes. `Head` reads them."""

    def __init__(self, config: NetworkConfig, *, inputs: Widths, graph_is_read: bool) -> None:
        super().__init__()
        self.embed_nodes = _mlp(inputs.nodes, config.node_hidden, config.node_width)
        self.embed_edges = _mlp(inputs.pairs, config.edge_hidden, config.edge_width)
        self.embed_global = _mlp(inputs.graph, config.global_hidden, config.global_width)
        # What a flag adds. It is nothing at first, so that weights of before it mean what they did.
        self.given_node = nn.Parameter(torch.zeros(config.node_width)) if config.reads_given else None
        self.given_pair = nn.Parameter(torch.zeros(config.edge_width)) if config.reads_given else None
        # Unless the graph's stream is read in the end, nothing would see what the last layer adds to it.
        self.layers = nn.ModuleList(
            GraphTransformerLayer(config, updates_graph=graph_is_read or layer < config.num_layers - 1)
            for layer in range(config.num_layers)
        )

    def forward(
        self,
        nodes: Float[Tensor, "b n _"],
        edges: Float[Tensor, "b m _"],
        graph: Float[Tensor, "b _"],
        *,
        layout: EdgeLayout,
        node_mask: Bool[Tensor, "b n"],
        edge_mask: Bool[Tensor, "b m"],
        given: tuple[Bool[Tensor, "b n"], Bool[Tensor, "b m"]] | None = None,
    ) -> tuple[Float[Tensor, "b n dx"], Float[Tensor, "b m de"], Float[Tensor, "b dy"]]:
        """The streams of nodes, edges and graph after the last layer; `given` flags what is known of the clean graph."""
        # The streams stay in single precision: under autocast only what is added to them is rounded.
        nodes, edges, graph = (
            self.embed_nodes(nodes).float(),
            self.embed_edges(edges).float(),
            self.embed_global(graph).float(),
        )
        if given is not None and self.given_node is not None and self.given_pair is not None:
            nodes = nodes + given[0][..., None] * self.given_node
            edges = edges + given[1][..., None] * self.given_pair
        for layer in self.layers:
            nodes, edges, graph = layer(nodes, edges, graph, layout=layout, node_mask=node_mask, edge_mask=edge_mask)
        return nodes, edges, graph


class GraphTransformerLayer(nn.Module):
    """One round of the equations above."""

    def __init__(self, config: NetworkConfig, *, updates_graph: bool) -> None:
        super().__init__()
        node, edge, wide = config.node_width, config.edge_width, config.global_width
        self.num_heads = config.num_heads
        self.per_channel = config.edge_attention == "channel"
        score_width = node if self.per_channel else config.num_heads

        self.node_norm, self.edge_norm, self.global_norm = _Norm(node), _Norm(edge), _Norm(wide)
        self.query_key_value = nn.Linear(node, 3 * node)
        self.edge_to_scores = nn.Linear(edge, 2 * score_width)
        self.scores_to_edge = nn.Linear(score_width, edge)
        self.node_to_edge = nn.Linear(node, edge, bias=False)
        self.edges_to_node = nn.Linear(edge, node, bias=False)
        self.node_out, self.edge_out = nn.Linear(node, node), nn.Linear(edge, edge)
        self.modulation = nn.Linear(wide, 2 * node + 2 * edge)
        self.node_mlp = _feed_forward(node, config.node_hidden)
        self.edge_mlp = _feed_forward(edge, config.edge_hidden)
        self.triangles = _Triangles(edge, config.triangle_width) if config.triangle_width else None
        self.graph_update = _GraphUpdate(config) if updates_graph else None

    def forward(
        self,
        nodes: Float[Tensor, "b n dx"],
        edges: Float[Tensor, "b m de"],
        graph: Float[Tensor, "b dy"],
        *,
        layout: EdgeLayout,
        node_mask: Bool[Tensor, "b n"],
        edge_mask: Bool[Tensor, "b m"],
    ) -> tuple[Float[Tensor, "b n dx"], Float[Tensor, "b m de"], Float[Tensor, "b dy"]]:
        """The three streams after this layer."""
        x, e, y = self.node_norm(nodes), self.edge_norm(edges), self.global_norm(graph)
        node_width, edge_width = x.shape[-1], e.shape[-1]
        node_scale, node_shift, edge_scale, edge_shift = (
            self.modulation(y)[:, None].split([node_width, node_width, edge_width, edge_width], dim=-1)
        )  # fmt: skip

        attend = self._attend_per_channel if self.per_channel else self._attend_per_head
        film, *sides = _squares([self.edge_to_scores, *(self.triangles.sides if self.triangles else [])], e, layout)
        attended, scores = attend(x, film.permute(0, 2, 3, 1), node_mask)
        attended = attended + self.edges_to_node(layout.sum_at_nodes(e, edge_mask) * _rsqrt_count(node_mask))
        related = self.scores_to_edge(layout.from_square(scores)) + layout.sum_of_ends(self.node_to_edge(x))

        if self.triangles is not None:
            related = related + self.triangles(*sides, layout=layout, node_mask=node_mask, edge_mask=edge_mask)

        nodes = nodes + self.node_out(torch.addcmul(node_shift, attended, 1 + node_scale))
        edges = edges + self.edge_out(torch.addcmul(edge_shift, related, 1 + edge_scale))
        if self.graph_update is not None:
            graph = self.graph_update(graph, x, e, y, node_mask=node_mask, edge_mask=edge_mask)
        return nodes + self.node_mlp(nodes), edges + self.edge_mlp(edges), graph

    def _attend_per_head(self, x: Tensor, film: Tensor, node_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attention output (b, n, dx) and scores (b, n, n, h)."""
        query, key, value = self.query_key_value(x).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        scale, shift = film.permute(0, 3, 1, 2).chunk(2, dim=1)
        scores = torch.addcmul(shift, query @ key.mT, (1 + scale) / math.sqrt(query.shape[-1]))
        # Added rather than filled in: half the passes, and none in the backward pass.
        unseen = torch.zeros_like(node_mask, dtype=torch.float).masked_fill(~node_mask, -math.inf)
        weights = softmax(scores.float() + unseen[:, None, None, :])
        return (weights @ value).transpose(1, 2).flatten(2), scores.permute(0, 2, 3, 1)

    def _attend_per_channel(self, x: Tensor, film: Tensor, node_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attention output (b, n, dx) and scores (b, n, n, dx)."""
        query, key, value = self.query_key_value(x).chunk(3, dim=-1)
        scale, shift = film.chunk(2, dim=-1)
        products = query[:, :, None] * key[:, None, :] / math.sqrt(x.shape[-1] / self.num_heads)
        scores = products * (1 + scale) + shift
        weights = scores.masked_fill(~node_mask[:, None, :, None], -math.inf).softmax(2)
        return (weights * value[:, None]).sum(2), scores


class _Triangles(nn.Module):
    """T_ij W of the equations above."""

    def __init__(self, edge_width: int, num_channels: int) -> None:
        super().__init__()
        self.edge_to_first = nn.Linear(edge_width, num_channels)
        self.edge_to_second = nn.Linear(edge_width, num_channels)
        self.triangles_to_edge = nn.Linear(num_channels, edge_width, bias=False)

    @property
    def sides(self) -> list[nn.Linear]:
        """The maps of a pair to what it is as the first and as the second side of a triangle."""
        return [self.edge_to_first, self.edge_to_second]

    def forward(
        self,
        first: Float[Tensor, "b c n n"],
        second: Float[Tensor, "b c n n"],
        *,
        layout: EdgeLayout,
        node_mask: Bool[Tensor, "b n"],
        edge_mask: Bool[Tensor, "b m"],
    ) -> Float[Tensor, "b m de"]:
        """T_ij W, given the `sides` of all pairs as squares."""
        # Each side brings half of 1/√n along.
        scale = layout.to_square(edge_mask[..., None] * _rsqrt_count(node_mask).sqrt())[:, None, ..., 0].to(first.dtype)
        products = (first * scale) @ (second * scale)
        through_a_third: Tensor = self.triangles_to_edge(layout.from_square(products.permute(0, 2, 3, 1)))
        return through_a_third


class _GraphUpdate(nn.Module):
    """What a layer adds to the stream of the whole graph."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        node, edge, wide = config.node_width, config.edge_width, config.global_width
        self.global_to_global = nn.Linear(wide, wide)
        self.nodes_to_global = nn.Linear(STATISTICS * node, wide)
        self.edges_to_global = nn.Linear(STATISTICS * edge, wide)
        self.global_mlp = _feed_forward(wide, config.global_hidden)

    def forward(
        self, graph: Tensor, x: Tensor, e: Tensor, y: Tensor, *, node_mask: Tensor, edge_mask: Tensor
    ) -> Tensor:
        """The graph's stream, given the normalised streams of nodes, edges and graph."""
        pooled = self.nodes_to_global(masked_statistics(x, node_mask)) + self.edges_to_global(
            masked_statistics(e, edge_mask)
        )
        graph = graph + self.global_to_global(y) + pooled
        updated: Tensor = graph + self.global_mlp(graph)
        return updated


class _Norm(nn.LayerNorm):
    """Layer norm that, under autocast, gives its result in the lower precision once for all that read it."""

    def forward(self, stream: Tensor) -> Tensor:
        normalised = super().forward(stream)
        device = stream.device.type
        return normalised.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else normalised


class Head(nn.Module):
    """Norm and linear map from a stream to what is asked of it, zero at first."""

    def __init__(self, width: int, num_outputs: int) -> None:
        super().__init__()
        self.norm = _Norm(width)
        self.linear = nn.Linear(width, num_outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, stream: Tensor) -> Tensor:
        outputs: Tensor = self.linear(self.norm(stream))
        return outputs


def _squares(
    maps: list[nn.Linear], pairs: Float[Tensor, "b m d"], layout: EdgeLayout
) -> list[Float[Tensor, "b _ n n"]]:
    """Linear maps of pairs, each as squares channel by channel, which is how attention and triangles read them.

    Where gradients are wanted the maps are one product, forward and backward; rounding may differ from that of each alone.
    """
    if pairs.requires_grad:
        channels = F.linear(pairs, torch.cat([m.weight for m in maps]), torch.cat([m.bias for m in maps]))
    else:
        channels = torch.cat([m(pairs) for m in maps], dim=-1)
    square = layout.to_square(channels).permute(0, 3, 1, 2).contiguous()
    return list(torch.split(square, [m.out_features for m in maps], dim=1))


def _rsqrt_count(node_mask: Tensor) -> Tensor:
    """1/√n per graph: keeps a sum over the pairs of a node near one in size, and still a sum."""
    return node_mask.sum(1).clamp(min=1).rsqrt()[:, None, None]


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


def _feed_forward(width: int, hidden: int) -> nn.Module:
    return nn.Sequential(_Norm(width), nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, width))
