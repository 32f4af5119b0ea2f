"""Parts of whole graphs, as training and evaluation give them.

Axes: b graphs, n nodes.

Reference: Bemis & Murcko 1996, The properties of known drugs 1, doi:10.1021/jm9602928 (scaffolds)
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.given.partial import PartialGraph
from models.graphs import GraphBatch

# Of the nodes of degree one, how many go in a round of random peeling.
_PEELED_AT_ONCE = 0.7


def grow(
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
        frontier = touch(clean, chosen) & ~chosen
        next_one = second.masked_fill(~frontier, -1).argmax(1)
        grows = (chosen.sum(1) < size) & frontier.any(1)
        chosen = chosen.scatter(1, next_one[:, None], chosen.gather(1, next_one[:, None]) | grows[:, None])
    return chosen


def peel(
    clean: GraphBatch, *, rounds: Int[Tensor, " b"], numbers: Float[Tensor, "b n"] | None = None
) -> Bool[Tensor, "b n"]:
    """What is left when in every round nodes with no more than one neighbour are taken away: all of them, or at random most.

    After as many rounds as there are nodes, it is the rings with what joins them: of a molecule its scaffold, without what is
    double-bonded to it.
    """
    left = clean.node_mask
    for done in range(int(rounds.max())):
        degree = ((clean.edges > 0) & left[:, :, None] & left[:, None, :]).sum(2)
        goes = (degree <= 1) & (done < rounds)[:, None]
        if numbers is not None:
            # Another number for each node and round, from the same ones.
            goes = goes & ((numbers * (done + 1)).frac() < _PEELED_AT_ONCE)
        left = left & ~goes
    return left


def touch(clean: GraphBatch, nodes: Bool[Tensor, "b n"]) -> Bool[Tensor, "b n"]:
    """Nodes with an edge to one of these."""
    return ((clean.edges > 0) & nodes[:, None, :]).any(2)


def part_of(graph: GraphBatch, nodes: Bool[Tensor, " n"], *, is_closed: bool) -> PartialGraph:
    """Some nodes of the one graph in the batch, with the pairs among them; if `is_closed`, those without an edge to the rest are closed."""
    chosen = nodes.nonzero()[:, 0].tolist()
    categories, edges = graph.nodes[0].tolist(), graph.edges[0].tolist()
    others = [node for node in range(int(graph.num_nodes[0])) if node not in set(chosen)]
    closed = [i for i, node in enumerate(chosen) if is_closed and not any(edges[node][other] for other in others)]
    pairs = {(i, j): edges[chosen[i]][chosen[j]] for j in range(len(chosen)) for i in range(j)}
    return PartialGraph(tuple(categories[node] for node in chosen), pairs, frozenset(closed))
