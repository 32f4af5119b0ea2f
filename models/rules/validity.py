"""Whether a graph is of the kind that a family's training graphs are. A card names the rule (`validity`).

    planar      connected, and can be drawn in the plane without crossings
    tree        connected, and one edge fewer than nodes
    sbm         2 to 5 communities of 20 to 40 nodes, whose densities inside and between agree with .3 and .005
    connected   in one piece; all that is asked of small graphs of two communities

The communities of an SBM graph are not known, so they are estimated: for each number of blocks k, a partition by
spectral clustering of the regularised adjacency, improved node by node while the likelihood grows; k by the
integrated completed likelihood

    ICL = log p(A, z | p̂, π̂) - ½ · k(k+1)/2 · log(n(n-1)/2) - ½ (k-1) log n.

Then the densities are tested as in the benchmark: W = (p̂ - p)² / (p̂ (1 - p̂) + 10⁻⁶) for every pair of blocks,
and the mean of the χ² tail probabilities of W must exceed .9. The benchmark finds the partition by graph-tool's
description length, which no package index carries; models/training/EXPERIMENTS.md says how far the two agree.

References:
    Martinkus et al. 2022, SPECTRE, arXiv:2204.01613, section 5 (validity of each family)
    Qin & Rohe 2013, Regularized spectral clustering, arXiv:1309.4111
    Daudin et al. 2008, A mixture model for random graphs (ICL)
"""

from collections.abc import Callable, Iterable, Mapping

import networkx as nx
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.cluster.vq import kmeans2
from scipy.sparse.csgraph import connected_components
from scipy.special import chdtrc, xlogy

from models.card.config import Validity

Adjacency = Bool[np.ndarray, "_ _"]
_MOST_BLOCKS = 8
_STARTS = 3
_PATIENCE = 2  # numbers of blocks without a gain, after which more are not tried
_SWEEPS = 20


def is_connected(adjacency: Adjacency) -> bool:
    """One piece; a graph without nodes is none."""
    return bool(connected_components(adjacency, directed=False)[0] == 1)


def is_planar(adjacency: Adjacency) -> bool:
    """Connected, and drawn in the plane without crossings."""
    return is_connected(adjacency) and bool(nx.check_planarity(nx.from_numpy_array(adjacency))[0])


def is_tree(adjacency: Adjacency) -> bool:
    """Connected without a cycle."""
    return is_connected(adjacency) and int(adjacency.sum()) // 2 == len(adjacency) - 1


def is_sbm(adjacency: Adjacency, *, within: float = 0.3, between: float = 0.005) -> bool:
    """Whether the graph's communities pass the benchmark's test."""
    labels = communities(adjacency)
    sizes = np.bincount(labels)
    if not (2 <= len(sizes) <= 5 and sizes.min() >= 20 and sizes.max() <= 40):
        return False
    edges, pairs = _block_counts(adjacency, labels, len(sizes))
    found = edges / pairs
    expected = np.where(np.eye(len(sizes), dtype=bool), within, between)
    wald = np.square(found - expected) / (found * (1 - found) + 1e-6)
    return bool(chdtrc(1, wald).mean() > 0.9)


VALIDITY: Mapping[Validity, Callable[[Adjacency], bool]] = {
    "planar": is_planar,
    "tree": is_tree,
    "sbm": is_sbm,
    "connected": is_connected,
}


def is_valid(rule: Validity, num_nodes: int, pairs: Iterable[tuple[int, int]]) -> bool:
    """Whether a graph with edges between these pairs of nodes follows a rule."""
    adjacency = np.zeros((num_nodes, num_nodes), bool)
    for i, j in pairs:
        adjacency[i, j] = adjacency[j, i] = True
    return VALIDITY[rule](adjacency)


def communities(adjacency: Adjacency) -> Int[np.ndarray, " n"]:
    """The likeliest block of each node, 0 to k - 1."""
    random = np.random.default_rng(0)
    best, best_score, best_num_blocks = np.zeros(len(adjacency), int), -np.inf, 0
    spectral = _embedding(adjacency)
    for num_blocks in range(1, min(_MOST_BLOCKS, len(adjacency)) + 1):
        points = spectral[:, :num_blocks]
        points = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
        for _ in range(_STARTS if num_blocks > 1 else 1):
            labels = kmeans2(points, num_blocks, minit="++", seed=random)[1]
            labels = _improved(adjacency, labels, num_blocks)
            score = _completed_likelihood(adjacency, labels)
            if score > best_score:
                best, best_score, best_num_blocks = labels, score, num_blocks
        if num_blocks - best_num_blocks == _PATIENCE:
            break
    return np.unique(best, return_inverse=True)[1]


def _embedding(adjacency: Adjacency) -> Float[np.ndarray, "n k"]:
    """Leading eigenvectors of the adjacency, a little of the complete graph added, normalised by degrees."""
    edges = adjacency + adjacency.sum() / len(adjacency) ** 2
    scale = np.maximum(edges.sum(1), 1e-12) ** -0.5
    _, vectors = np.linalg.eigh(scale[:, None] * edges * scale)
    embedding: np.ndarray = vectors[:, ::-1][:, :_MOST_BLOCKS]
    return embedding


def _improved(adjacency: Adjacency, labels: np.ndarray, num_blocks: int) -> Int[np.ndarray, " n"]:
    """Each node in turn goes to the block that makes the graph likeliest, until none wants to go."""
    labels = labels.copy()
    edges, pairs = _block_counts(adjacency, labels, num_blocks)
    sizes = np.bincount(labels, minlength=num_blocks)
    for _ in range(_SWEEPS):
        moved = False
        for node, old in enumerate(labels.tolist()):
            ties = np.bincount(labels[adjacency[node]], minlength=num_blocks)
            sizes[old] -= 1
            rest = _with_node(edges, pairs, old, ties, sizes, -1)
            there = [_with_node(*rest, block, ties, sizes, 1) for block in range(num_blocks)]
            scores = _fit(*(np.stack(side) for side in zip(*there, strict=True)))
            scores += _label_likelihood(sizes + np.eye(num_blocks))
            new = int(scores.argmax())
            if scores[new] <= scores[old] + 1e-9:
                new = old
            labels[node], (edges, pairs) = new, there[new]
            sizes[new] += 1
            moved |= new != old
        if not moved:
            break
    return labels


def _with_node(
    edges: np.ndarray, pairs: np.ndarray, block: int, ties: np.ndarray, sizes: np.ndarray, sign: int
) -> tuple[np.ndarray, np.ndarray]:
    """Edges and pairs among blocks when a node comes to (or leaves) one; `sizes` are without it."""
    edges, pairs = edges.copy(), pairs.copy()
    for counts, change in ((edges, ties), (pairs, sizes)):
        own = counts[block, block] + sign * change[block]
        counts[block] += sign * change
        counts[:, block] += sign * change
        counts[block, block] = own
    return edges, pairs


def _block_counts(adjacency: Adjacency, labels: np.ndarray, num_blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges, and pairs of nodes, within each block (diagonal) and between any two."""
    member = np.eye(num_blocks)[labels]
    edges = member.T @ adjacency @ member
    sizes = member.sum(0)
    pairs = np.outer(sizes, sizes)
    np.fill_diagonal(edges, edges.diagonal() / 2)
    np.fill_diagonal(pairs, sizes * (sizes - 1) / 2)
    return edges, pairs


def _fit(edges: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Log-likelihood of the edges, each block's density as it is."""
    rest = pairs - edges
    terms = xlogy(edges, edges) + xlogy(rest, rest) - xlogy(pairs, pairs)
    return np.asarray((terms.sum((-2, -1)) + terms.diagonal(axis1=-2, axis2=-1).sum(-1)) / 2)


def _label_likelihood(sizes: np.ndarray) -> np.ndarray:
    return np.asarray(xlogy(sizes, sizes / sizes.sum(-1, keepdims=True)).sum(-1))


def _completed_likelihood(adjacency: Adjacency, labels: np.ndarray) -> float:
    """ICL of a partition; empty blocks do not count."""
    labels = np.unique(labels, return_inverse=True)[1]
    sizes = np.bincount(labels)
    num_nodes, num_blocks = len(labels), len(sizes)
    densities, shares = num_blocks * (num_blocks + 1) / 2, num_blocks - 1
    penalty = densities * np.log(max(num_nodes * (num_nodes - 1) / 2, 1)) + shares * np.log(num_nodes)
    return float(_fit(*_block_counts(adjacency, labels, num_blocks)) + _label_likelihood(sizes) - penalty / 2)
