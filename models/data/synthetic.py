"""Graphs without chemistry, made from a seed by the recipes of the literature's benchmarks.

    planar   the Delaunay triangulation of 64 points, uniform in the unit square
    tree     a labelled tree of 64 nodes, each of the 64⁶² as likely: decoded from a random Prüfer sequence
    sbm      2 to 5 blocks of 20 to 40 nodes; a pair is an edge with probability .3 within a block and .005 between
             two; drawn again until the graph is connected
    comm20   two communities of equal size, 12 to 20 nodes together; a pair is an edge with probability .7 within a
             community, and between them .05 edges per node are to be expected; one at least, also between the
             pieces of a community that falls apart

A data set is 128 graphs to train on, 32 to validate and 40 to test with. Every graph has random numbers of its own.

References:
    Martinkus et al. 2022, SPECTRE, arXiv:2204.01613 (planar, sbm; the split)
    Bergmeister et al. 2024, arXiv:2312.11529 (tree)
    Niu et al. 2020, arXiv:2003.00638, and Jo et al. 2022, GDSS, arXiv:2202.02514 (small communities)
"""

import heapq
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay

from models.card.config import Validity
from models.data.dataset import GraphData
from models.graphs import GraphBatch

Family = Literal["planar", "tree", "sbm", "comm20"]
FAMILIES: tuple[Family, ...] = get_args(Family)
_VALIDITY: Mapping[Family, Validity] = {"planar": "planar", "tree": "tree", "sbm": "sbm", "comm20": "connected"}
SPLIT_SIZES = {"train": 128, "validation": 32, "test": 40}
DEFAULT_SEED = 0

Adjacency = Bool[np.ndarray, "n n"]


def load_synthetic(family: Family, *, seed: int = DEFAULT_SEED) -> GraphData:
    """A family's data set; takes about a second."""
    parts = torch.tensor(list(SPLIT_SIZES.values())).cumsum(0).tolist()
    graphs = draw(family, parts[-1], seed=seed)
    return GraphData(
        name=family,
        domain="graph",
        split=f"{' / '.join(map(str, SPLIT_SIZES.values()))} graphs for training, validation and test, from seed {seed}",
        node_types=["node"],
        edge_types=["none", "edge"],
        train=graphs[: parts[0]],
        validation=graphs[parts[0] : parts[1]],
        test=graphs[parts[1] :],
        notes=[],
        validity=_VALIDITY[family],
    )


def draw(family: Family, num_graphs: int, *, seed: int) -> GraphBatch:
    """Graphs of a family; the first ten of a hundred are those of ten."""
    place = FAMILIES.index(family)
    return as_batch([_RECIPES[family](np.random.default_rng([seed, place, i])) for i in range(num_graphs)])


def as_batch(graphs: list[Bool[np.ndarray, "_ _"]]) -> GraphBatch:
    """Graphs of one node type and one edge type, padded to the largest."""
    widest = max(len(adjacency) for adjacency in graphs)
    edges = torch.zeros(len(graphs), widest, widest, dtype=torch.int8)
    for row, adjacency in enumerate(graphs):
        edges[row, : len(adjacency), : len(adjacency)] = torch.from_numpy(adjacency)
    sizes = torch.tensor([len(adjacency) for adjacency in graphs])
    return GraphBatch(torch.zeros(len(graphs), widest, dtype=torch.int8), edges, sizes)


def planar(random: np.random.Generator, *, num_nodes: int = 64) -> Adjacency:
    """The triangulation of random points."""
    triangles = Delaunay(random.random((num_nodes, 2))).simplices
    adjacency = np.zeros((num_nodes, num_nodes), bool)
    for one, other in ((0, 1), (1, 2), (2, 0)):
        adjacency[triangles[:, one], triangles[:, other]] = True
    return adjacency | adjacency.T


def tree(random: np.random.Generator, *, num_nodes: int = 64) -> Adjacency:
    """The tree of a random Prüfer sequence: again and again the smallest leaf is tied to the sequence's next node."""
    sequence = random.integers(num_nodes, size=num_nodes - 2)
    degree = 1 + np.bincount(sequence, minlength=num_nodes)
    leaves = np.flatnonzero(degree == 1).tolist()
    adjacency = np.zeros((num_nodes, num_nodes), bool)
    for node in sequence.tolist():
        adjacency[heapq.heappop(leaves), node] = True
        degree[node] -= 1
        if degree[node] == 1:
            heapq.heappush(leaves, node)
    adjacency[leaves[0], leaves[1]] = True
    return adjacency | adjacency.T


def sbm(random: np.random.Generator) -> Adjacency:
    """A connected graph of the stochastic block model."""
    while True:
        block_sizes = random.integers(20, 40, size=random.integers(2, 5, endpoint=True), endpoint=True)
        adjacency = blocks(random, block_sizes.tolist(), within=0.3, between=0.005)
        if connected_components(adjacency)[0] == 1:
            return adjacency


def comm20(random: np.random.Generator) -> Adjacency:
    """Two dense communities and a bridge or two."""
    size = int(random.integers(12, 20, endpoint=True)) // 2
    adjacency = blocks(random, [size, size], within=0.7, between=0.05 * 2 / size)
    within = adjacency.copy()
    within[:size, size:] = within[size:, :size] = False
    num_pieces, piece = connected_components(within)
    # Two pieces, unless a community falls apart by itself.
    for one, other in combinations([np.flatnonzero(piece == i) for i in range(num_pieces)], 2):
        if not adjacency[np.ix_(one, other)].any():
            adjacency[one[0], other[0]] = adjacency[other[0], one[0]] = True
    return adjacency


def blocks(random: np.random.Generator, sizes: list[int], *, within: float, between: float) -> Adjacency:
    """Pairs are edges independently, with a probability that depends on whether their nodes are of one block."""
    block = np.repeat(np.arange(len(sizes)), sizes)
    probability = np.where(block[:, None] == block, within, between)
    upper = np.triu(random.random(probability.shape) < probability, 1)
    return upper | upper.T


_RECIPES: Mapping[Family, Callable[[np.random.Generator], Adjacency]] = {
    "planar": planar,
    "tree": tree,
    "sbm": sbm,
    "comm20": comm20,
}
