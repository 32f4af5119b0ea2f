"""Where the nodes of a graph are drawn: always the same for the same graph.

A tree is drawn radially about its centre, a ring for each level. In other graphs, distances in the picture follow distances
in the graph: with d the number of edges between two nodes, the positions x minimise

    Σ (|x_i - x_j| - d_ij)² / d_ij²

by stress majorisation (Gansner, Koren & North, GD 2004, section 3), starting from classical scaling (Torgerson 1952).
"""

import math
from collections.abc import Iterable, Sequence

import networkx as nx
import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.float64]
_ITERATIONS = 100
_TOLERANCE = 1e-4
# Large graphs get fewer iterations: 25 for 400 nodes, 4 for 1,000.
_MAX_WORK = 4_000_000
# Nodes with the same neighbours would coincide; each is moved this far, at its own angle.
_NUDGE = 1e-2
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
# Added to distances between groups, so that the groups separate visibly.
_BETWEEN_GROUPS = 2.0


def stress_layout(num_nodes: int, edges: Iterable[tuple[int, int]], groups: Sequence[int] | None = None) -> Positions:
    """Positions (n, 2), neighbours about one unit apart; nodes of different `groups` are further apart."""
    if num_nodes < 2:
        return np.zeros((num_nodes, 2))
    distances = _distances(num_nodes, edges)
    if groups is not None:
        kinds = np.asarray(groups)
        distances += _BETWEEN_GROUPS * (kinds[:, None] != kinds[None, :])
    return _majorise_stress(_classical_scaling(distances), distances)


def radial_layout(tree: nx.Graph) -> tuple[Positions, list[int]]:
    """Positions (n, 2) of the nodes 0 to n - 1 of a tree, and each node's level: its distance from the root, which is its radius too."""
    root = min(nx.center(tree))
    children = {node: sorted(below) for node, below in nx.bfs_successors(tree, root)}
    order = [root, *(node for _, node in nx.bfs_edges(tree, root, sort_neighbors=sorted))]
    leaves = dict.fromkeys(order, 1)
    for node in reversed(order):
        leaves[node] = sum(leaves[child] for child in children.get(node, [])) or 1
    level, start = {root: 0}, {root: 0.0}
    angle_per_leaf = 2 * math.pi / leaves[root]
    positions = np.zeros((len(order), 2))
    for node in order:
        angle = start[node] + angle_per_leaf * leaves[node] / 2
        positions[node] = level[node] * np.array([math.cos(angle), math.sin(angle)])
        taken = start[node]
        for child in children.get(node, []):
            level[child], start[child] = level[node] + 1, taken
            taken += angle_per_leaf * leaves[child]
    return positions, [level[node] for node in range(len(order))]


def _distances(num_nodes: int, edges: Iterable[tuple[int, int]]) -> Positions:
    """Shortest-path distances (n, n); between components, one more than the longest of them."""
    neighbours: list[list[int]] = [[] for _ in range(num_nodes)]
    for i, j in edges:
        neighbours[i].append(j)
        neighbours[j].append(i)
    distances = np.full((num_nodes, num_nodes), -1.0)
    for start in range(num_nodes):
        reached, steps = {start}, 0
        frontier = [start]
        while frontier:
            distances[start, frontier] = steps
            frontier = list({other for node in frontier for other in neighbours[node]} - reached)
            reached.update(frontier)
            steps += 1
    distances[distances < 0] = distances.max() + 1
    return distances


def _classical_scaling(distances: Positions) -> Positions:
    """The two dimensions with the largest eigenvalues."""
    squares = distances**2
    centred = -0.5 * (squares - squares.mean(0) - squares.mean(1)[:, None] + squares.mean())
    values, vectors = np.linalg.eigh(centred)
    axes = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0))
    # An axis has no direction of its own: the outermost node is put on its positive side.
    furthest = np.abs(axes).argmax(0)
    axes *= np.where(axes[furthest, [0, 1]] < 0, -1.0, 1.0)
    angles = _GOLDEN_ANGLE * np.arange(len(axes))
    nudges: Positions = _NUDGE * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    nudges += axes
    return nudges


def _majorise_stress(positions: Positions, distances: Positions) -> Positions:
    others = ~np.eye(len(positions), dtype=bool)
    weights = np.divide(1.0, distances**2, where=others, out=np.zeros_like(distances))
    laplacian = np.diag(weights.sum(1)) - weights
    inverse = np.linalg.pinv(laplacian)
    weighted = weights * distances
    for _ in range(min(_ITERATIONS, _MAX_WORK // len(positions) ** 2)):
        lengths = np.linalg.norm(positions[:, None] - positions[None, :], axis=-1)
        pulls = np.divide(weighted, lengths, where=lengths > 1e-9, out=np.zeros_like(lengths))
        moved = inverse @ (positions * pulls.sum(1)[:, None] - pulls @ positions)
        change, positions = np.abs(moved - positions).max(), moved
        if change < _TOLERANCE * distances.max():
            break
    return positions
