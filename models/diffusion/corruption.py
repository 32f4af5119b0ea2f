"""Whole graphs through the forward process: z_t ~ q(z_t | x), every unordered pair drawn once."""

import torch
from jaxtyping import Int
from torch import Tensor

from models.diffusion.graph_noise import GraphNoise
from models.diffusion.randomness import EDGE_STREAM, NODE_STREAM, draw, pair_positions, uniforms
from models.graphs import GraphBatch, GraphDistribution


def corrupt(
    graph: GraphBatch,
    t: Int[Tensor, " b"],
    seeds: Int[Tensor, " b"],
    *,
    noise: GraphNoise,
) -> GraphBatch:
    """Graphs at noise level t; the same seed at the same t gives the same noisy graph.

    DiGress: `apply_noise`, which also draws t.
    """
    return draw_graphs(noise.corrupt(graph, t), seeds, num_nodes=graph.num_nodes, step=t)


def draw_graphs(
    probs: GraphDistribution, seeds: Int[Tensor, " b"], *, num_nodes: Int[Tensor, " b"], step: Int[Tensor, " b"]
) -> GraphBatch:
    """One graph from each distribution; `step` gives each draw of a graph its own random numbers."""
    max_nodes = probs.nodes.shape[1]
    device = probs.nodes.device
    node_uniform = uniforms(seeds, step=step, stream=NODE_STREAM, positions=torch.arange(max_nodes, device=device))
    pair_uniform = uniforms(seeds, step=step, stream=EDGE_STREAM, positions=pair_positions(max_nodes, device))
    drawn = GraphBatch(draw(probs.nodes, node_uniform), draw(probs.edges, pair_uniform), num_nodes)
    return GraphBatch(drawn.nodes * drawn.node_mask, drawn.edges * drawn.edge_mask, num_nodes)
