"""How often each node plays each part in the connected graphs of up to four nodes.

There are fifteen parts, numbered as in the literature (each an orbit of a graphlet's automorphisms):

    0 an edge                 4 end, 5 inside of a path of four      9 tail, 10 base, 11 neck of a paw
    1 end, 2 middle of a path 6 leaf, 7 centre of a star of four    12 degree 2, 13 degree 3 in a diamond
    3 a triangle              8 a cycle of four                     14 a complete graph of four

A paw is a triangle with one more edge; a diamond two triangles that share one. Only induced subgraphs count.

First every part is counted wherever its edges are, whatever other edges there are among its nodes: these counts
are sums over degrees, triangles and common neighbours. Then what belongs to denser graphlets is taken away, from
the densest on: a diamond, say, holds four paws, of which a node of degree 2 is the tail of two and a base of two.

In numpy: these lines are less to keep than one more compiled package, of which one is under the GPL. The tests hold them
to an enumeration of all subgraphs by networkx.

Reference: Pržulj 2007, Biological network comparison using graphlet degree distribution (the numbering);
Hočevar & Demšar 2014, A combinatorial approach to graphlet counting (counting by equations).
"""

import numpy as np
from jaxtyping import Bool, Int


def orbit_counts(adjacency: Bool[np.ndarray, "n n"]) -> Int[np.ndarray, "n 15"]:
    """For each node, in how many induced connected subgraphs it plays each part."""
    edges = adjacency.astype(np.int64)
    degree = edges.sum(1)
    walks = edges @ edges
    common = walks * edges  # of two neighbours: how many triangles their edge is in
    triangles = common.sum(1) // 2
    away = _pairs(walks)
    np.fill_diagonal(away, 0)
    complete = np.array([_triangles(edges[np.ix_(near, near)]) for near in adjacency], np.int64).reshape(-1)

    path_end = edges @ (edges @ (degree - 1)) - degree * (degree - 1) - 2 * triangles
    path_inside = (degree - 1) * (edges @ (degree - 1)) - 2 * triangles
    leaf = edges @ _pairs(degree - 1)
    centre = degree * (degree - 1) * (degree - 2) // 6
    cycle = away.sum(1)
    tail = edges @ triangles - common.sum(1)
    base = common @ (degree - 2)
    neck = triangles * (degree - 2)
    two = np.einsum("vu,vu->v", edges, edges @ (common - edges)) // 2
    three = _pairs(common).sum(1)

    three, two = three - 3 * complete, two - 3 * complete
    cycle = cycle - two - three - 3 * complete
    tail = tail - 2 * two - 3 * complete
    base = base - 2 * two - 2 * three - 6 * complete
    neck = neck - 2 * three - 3 * complete
    centre = centre - neck - three - complete
    leaf = leaf - tail - base - 2 * two - three - 3 * complete
    path_end = path_end - 2 * cycle - 2 * tail - base - 4 * two - 2 * three - 6 * complete
    path_inside = path_inside - 2 * cycle - base - 2 * neck - 2 * two - 4 * three - 6 * complete
    short_end, short_middle = edges @ (degree - 1) - 2 * triangles, _pairs(degree) - triangles
    columns = [degree, short_end, short_middle, triangles, path_end, path_inside, leaf, centre, cycle]
    return np.stack([*columns, tail, base, neck, two, three, complete], axis=1)


def _pairs(counts: Int[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    result: np.ndarray = counts * (counts - 1) // 2
    return result


def _triangles(edges: Int[np.ndarray, "m m"]) -> int:
    return int(np.einsum("ij,ij->", edges @ edges, edges)) // 6
