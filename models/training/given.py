"""What is given in training: a random part of each graph, as people give parts.

    nothing          30 %    so that it goes on drawing whole graphs
    a part           40 %    connected nodes with the pairs among them: half of them grown from one node, half what is left
                             when nodes of degree one are peeled off again and again, which ends in the scaffold of rings
                             and what joins them
    several parts    10 %    grown from two or three nodes, to be linked
    nodes alone      15 %    the category of every node: a formula
    edges alone       5 %    every pair: a skeleton

Of the parts, four in ten have closed nodes: pairs with nodes outside that are known to be no edge. In half of them these are all
nodes that have no edge to the outside, in the others a random share. One part in ten comes with the formula of the rest.

Everything is drawn from the graph's seed, as all random numbers of training are.

Axes: b graphs, n nodes.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.diffusion.context import Given
from models.diffusion.randomness import GIVEN_STREAM, uniforms
from models.graphs import GraphBatch

_NOTHING, _ONE_PART, _PARTS, _NODES = 0.30, 0.70, 0.80, 0.95
_PEELED, _CLOSED, _ALL_CLOSED, _WITH_FORMULA = 0.5, 0.4, 0.5, 0.1
# Of the nodes of degree one, how many go in a round of peeling.
_PEELED_AT_ONCE = 0.7
_MOST_ROUNDS = 12
_CHOICES = 8


def draw_given(clean: GraphBatch, seeds: Int[Tensor, " b"]) -> Given:
    """Something to give of each graph; the same seed gives the same."""
    n = clean.max_nodes
    numbers = uniforms(
        seeds,
        step=torch.zeros_like(seeds),
        stream=GIVEN_STREAM,
        positions=torch.arange(_CHOICES + 3 * n, device=seeds.device),
    )
    kind, extent, several, peeled, closing, share, formula, _ = numbers[:, :_CHOICES].unbind(1)
    first, second, third = (numbers[:, start : start + n] for start in range(_CHOICES, _CHOICES + 3 * n, n))

    num_starts = torch.where(kind < _ONE_PART, 1, torch.where(several < 0.5, 2, 3))
    size = 1 + (extent * (clean.num_nodes - 1)).long()
    grown = _grown(clean, first, second, num_starts=num_starts, size=size)
    scaffold = _peeled(clean, second, rounds=1 + (extent * _MOST_ROUNDS).long())
    is_peeled = (kind < _ONE_PART) & (peeled < _PEELED) & scaffold.any(1)
    is_part = (kind >= _NOTHING) & (kind < _PARTS)
    part = torch.where(is_peeled[:, None], scaffold, grown) & is_part[:, None]

    is_closed = closing < _CLOSED
    limit = torch.where(closing < _CLOSED * _ALL_CLOSED, 1.0, share)
    closed = part & is_closed[:, None] & (third < limit[:, None]) & ~_touches(clean, ~part)
    with_formula = is_part & (formula < _WITH_FORMULA)

    nodes = part | (with_formula | ((kind >= _PARTS) & (kind < _NODES)))[:, None]
    pairs = (
        (part[:, :, None] & part[:, None, :])
        | closed[:, :, None]
        | closed[:, None, :]
        | (kind >= _NODES)[:, None, None]
    )
    return Given(clean, nodes & clean.node_mask, pairs & clean.edge_mask)


def _grown(
    clean: GraphBatch,
    first: Float[Tensor, "b n"],
    second: Float[Tensor, "b n"],
    *,
    num_starts: Int[Tensor, " b"],
    size: Int[Tensor, " b"],
) -> Bool[Tensor, "b n"]:
    """About `size` nodes that hang together with one of `num_starts` random ones."""
    rank = first.masked_fill(~clean.node_mask, -1).argsort(1, descending=True).argsort(1)
    chosen = (rank < num_starts[:, None]) & clean.node_mask
    for _ in range(int(size.max()) - 1):
        frontier = _touches(clean, chosen) & ~chosen
        next_one = second.masked_fill(~frontier, -1).argmax(1)
        grows = (chosen.sum(1) < size) & frontier.any(1)
        chosen = chosen.scatter(1, next_one[:, None], chosen.gather(1, next_one[:, None]) | grows[:, None])
    return chosen


def _peeled(clean: GraphBatch, numbers: Float[Tensor, "b n"], *, rounds: Int[Tensor, " b"]) -> Bool[Tensor, "b n"]:
    """What is left when in every round most nodes with no more than one neighbour are taken away."""
    left = clean.node_mask
    for done in range(int(rounds.max())):
        degree = ((clean.edges > 0) & left[:, :, None] & left[:, None, :]).sum(2)
        # Another number for each node and round, from the same ones.
        goes = (degree <= 1) & ((numbers * (done + 1)).frac() < _PEELED_AT_ONCE) & (done < rounds)[:, None]
        left = left & ~goes
    return left


def _touches(clean: GraphBatch, nodes: Bool[Tensor, "b n"]) -> Bool[Tensor, "b n"]:
    """Nodes with an edge to one of these."""
    return ((clean.edges > 0) & nodes[:, None, :]).any(2)
