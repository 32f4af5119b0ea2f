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
from jaxtyping import Int
from torch import Tensor

from models.diffusion.context import Given
from models.diffusion.randomness import GIVEN_STREAM, uniforms
from models.given.choosing import grow, peel, touch
from models.graphs import GraphBatch

_NOTHING, _ONE_PART, _PARTS, _NODES = 0.30, 0.70, 0.80, 0.95
_PEELED, _CLOSED, _ALL_CLOSED, _WITH_FORMULA = 0.5, 0.4, 0.5, 0.1
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
    grown = grow(clean, first, second, num_starts=num_starts, size=size)
    scaffold = peel(clean, rounds=1 + (extent * _MOST_ROUNDS).long(), numbers=second)
    is_peeled = (kind < _ONE_PART) & (peeled < _PEELED) & scaffold.any(1)
    is_part = (kind >= _NOTHING) & (kind < _PARTS)
    part = torch.where(is_peeled[:, None], scaffold, grown) & is_part[:, None]

    is_closed = closing < _CLOSED
    limit = torch.where(closing < _CLOSED * _ALL_CLOSED, 1.0, share)
    closed = part & is_closed[:, None] & (third < limit[:, None]) & ~touch(clean, ~part)
    with_formula = is_part & (formula < _WITH_FORMULA)

    nodes = part | (with_formula | ((kind >= _PARTS) & (kind < _NODES)))[:, None]
    pairs = (
        (part[:, :, None] & part[:, None, :])
        | closed[:, :, None]
        | closed[:, None, :]
        | (kind >= _NODES)[:, None, None]
    )
    return Given(clean, nodes & clean.node_mask, pairs & clean.edge_mask)
