"""Where the nodes of a graph stand in its picture: the same for the same graph, always.

Trees stand in rings about their middle, a ring for each level. In all other graphs pictures of distances are sought:
with d the number of edges between two nodes, the positions x minimise

    Σ (|x_i - x_j| - d_ij)² / d_ij²

by stress majorisation (Gansner, Koren & North, GD 2004, section 3), from the positions that classical scaling gives
(Torgerson 1952).
"""

import math
from collections.abc import Iterable, Sequence

import networkx as nx
import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.float64]
_ITERATIONS = 100
_SETTLED = 1e-4
# Large graphs are settled less well: a picture of 400 nodes in 25 steps, of 1,000 in 4.
_MOST_WORK = 4_000_000
# Nodes that hang at the same place would otherwise stand at the same place; each is moved this far, by its own angle.
_NUDGE = 1e-2
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
# What lies between groups is seen if it is so much longer.
_BETWEEN_GROUPS = 2.0


def lay_out(num_nodes: int, edges: Iterable[tuple[int, int]], groups: Sequence[int] | None = None) -> Positions:
    """Positions (n, 2), about a unit from neighbour to neighbour; nodes of different `groups` stand further apart."""
    if num_nodes < 2:
        return np.zeros((num_nodes, 2))
    distances = _distances(num_nodes, edges)
    if groups is not None:
        kinds = np.asarray(groups)
        distances += _BETWEEN_GROUPS * (kinds[:, None] != kinds[None, :])
    return _settle(_scale(distances), distances)


def rings(tree: nx.Graph) -> tuple[Positions, list[int]]:
    """Positions (n, 2) of the nodes 0 to n - 1 of a tree, and each node's level: its distance from the middle, which is a radius too."""
    middle = min(nx.center(tree))
    children = {node: sorted(below) for node, below in nx.bfs_successors(tree, middle)}
    order = [middle, *(node for _, node in nx.bfs_edges(tree, middle, sort_neighbors=sorted))]
    leaves = dict.fromkeys(order, 1)
    for node in reversed(order):
        leaves[node] = sum(leaves[child] for child in children.get(node, [])) or 1
    level, start = {middle: 0}, {middle: 0.0}
    angle_of_leaf = 2 * math.pi / leaves[middle]
    positions = np.zeros((len(order), 2))
    for node in order:
        middle_of_leaves = start[node] + angle_of_leaf * leaves[node] / 2
        positions[node] = level[node] * np.array([math.cos(middle_of_leaves), math.sin(middle_of_leaves)])
        taken = start[node]
        for child in children.get(node, []):
            level[child], start[child] = level[node] + 1, taken
            taken += angle_of_leaf * leaves[child]
    return positions, [level[node] for node in range(len(order))]


def _distances(num_nodes: int, edges: Iterable[tuple[int, int]]) -> Positions:
    """Edges between every two nodes (n, n); between parts that do not hang together, one more than the longest way there is."""
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


def _scale(distances: Positions) -> Positions:
    """The two dimensions in which the distances show most."""
    squares = distances**2
    centred = -0.5 * (squares - squares.mean(0) - squares.mean(1)[:, None] + squares.mean())
    values, vectors = np.linalg.eigh(centred)
    axes = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0))
    # An axis points either way; let the node that is furthest out be on its positive side.
    furthest = np.abs(axes).argmax(0)
    axes *= np.where(axes[furthest, [0, 1]] < 0, -1.0, 1.0)
    angles = _GOLDEN_ANGLE * np.arange(len(axes))
    nudges: Positions = _NUDGE * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    nudges += axes
    return nudges


def _settle(positions: Positions, distances: Positions) -> Positions:
    others = ~np.eye(len(positions), dtype=bool)
    weights = np.divide(1.0, distances**2, where=others, out=np.zeros_like(distances))
    laplacian = np.diag(weights.sum(1)) - weights
    inverse = np.linalg.pinv(laplacian)
    weighted = weights * distances
    for _ in range(min(_ITERATIONS, _MOST_WORK // len(positions) ** 2)):
        apart = np.linalg.norm(positions[:, None] - positions[None, :], axis=-1)
        pulls = np.divide(weighted, apart, where=apart > 1e-9, out=np.zeros_like(apart))
        moved = inverse @ (positions * pulls.sum(1)[:, None] - pulls @ positions)
        change, positions = np.abs(moved - positions).max(), moved
        if change < _SETTLED * distances.max():
            break
    return positions
