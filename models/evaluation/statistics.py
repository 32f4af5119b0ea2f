"""What a graph looks like, as histograms, and how far two sets of graphs are from each other in them.

    degree       how many nodes have 0, 1, 2, … neighbours
    clustering   local clustering coefficients, 100 bins on [0, 1]
    orbit        how often a node plays each of 15 parts in connected subgraphs of up to 4 nodes, mean over nodes
    spectral     eigenvalues of the normalised Laplacian, 200 bins on [-1e-5, 2]
    wavelet      Σ_j (g(L)_ij)² for every node i and 12 filters g, 100 bins a filter on [0, max g]:
                 a wavelet frame (Abspline) on the same spectrum

The distance is the squared maximum mean discrepancy

    MMD²(A, B) = mean k(a, a') + mean k(b, b') - 2 mean k(a, b),    k(x, y) = exp(-d(x, y)² / 2σ²)

over all pairs, equal ones included, with the total variation d = ½ Σ |x - y| of histograms that sum to one
(of the bare counts for orbits). `FIRST_STATISTICS` are the first three as they were first compared, and as DiGress
compares `comm20`: by the earth mover's distance, how far shares have to be moved along the axis, and orbits by ‖x - y‖.

References:
    You et al. 2018, GraphRNN, arXiv:1802.08773 (degree, clustering, orbit; the kernel by the earth mover's distance)
    Liao et al. 2019, GRAN, arXiv:1910.00760, appendix (spectral; the kernel by total variation)
    Martinkus et al. 2022, SPECTRE, arXiv:2204.01613, section 5 (wavelet; the widths σ)
    Hammond et al. 2011, Wavelets on graphs via spectral graph theory (the frame)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.distance import cdist

from models.evaluation.orbits import orbit_counts

Adjacency = Bool[np.ndarray, "_ _"]
Histogram = Float[np.ndarray, " _"]
_FILTERS = 12
_BINS = 100

# Of every histogram of the first set to every one of the second.
Distance = Callable[[Float[np.ndarray, "a bins"], Float[np.ndarray, "b bins"]], Float[np.ndarray, "a b"]]


def total_variation(one: Float[np.ndarray, "a bins"], other: Float[np.ndarray, "b bins"]) -> Float[np.ndarray, "a b"]:
    """½ Σ |x - y|."""
    distance: np.ndarray = cdist(one, other, "cityblock") / 2
    return distance


def earth_mover(bin_width: float) -> Distance:
    """How far the shares of one histogram have to be moved to make the other: on a line, Σ |X - Y| of the sums so far."""

    def distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        moved: np.ndarray = cdist(one.cumsum(1), other.cumsum(1), "cityblock") * bin_width
        return moved

    return distance


def euclidean(one: Float[np.ndarray, "a bins"], other: Float[np.ndarray, "b bins"]) -> Float[np.ndarray, "a b"]:
    """‖x - y‖."""
    distance: np.ndarray = cdist(one, other)
    return distance


@dataclass(frozen=True)
class Statistic:
    """A histogram of a graph, and σ and the distance of the kernel it is compared by."""

    of_graph: Callable[[Adjacency], Histogram]
    width: float
    distance: Distance = total_variation

    def squared_mmd(self, samples: Sequence[Histogram], reference: Sequence[Histogram]) -> float:
        """MMD² of two sets of histograms; a shorter histogram goes on with zeros."""
        bins = max(len(histogram) for histogram in (*samples, *reference))
        first, second = (np.stack([np.pad(h, (0, bins - len(h))) for h in side]) for side in (samples, reference))

        def similarity(one: np.ndarray, other: np.ndarray) -> float:
            return float(np.exp(-np.square(self.distance(one, other)) / (2 * self.width**2)).mean())

        return similarity(first, first) + similarity(second, second) - 2 * similarity(first, second)


def degrees(adjacency: Adjacency) -> Histogram:
    """Shares of nodes of degree 0, 1, 2 and so on."""
    return _shares(np.bincount(adjacency.sum(1)))


def clustering(adjacency: Adjacency) -> Histogram:
    """Shares of nodes by clustering coefficient: triangles at a node over pairs of its neighbours."""
    edges = adjacency.astype(float)
    degree = edges.sum(1)
    closed = np.einsum("ij,ji->i", edges @ edges, edges)
    coefficient = closed / np.maximum(degree * (degree - 1), 1)
    return _shares(np.histogram(coefficient, bins=_BINS, range=(0, 1))[0])


def orbits(adjacency: Adjacency) -> Histogram:
    """Mean number of times a node plays each part."""
    mean: np.ndarray = orbit_counts(adjacency).mean(0)
    return mean


def spectrum(adjacency: Adjacency) -> Histogram:
    """Shares of eigenvalues."""
    return _shares(np.histogram(np.linalg.eigvalsh(_laplacian(adjacency)), bins=200, range=(-1e-5, 2))[0])


def wavelets(adjacency: Adjacency) -> Histogram:
    """Shares of nodes by the energy of each wavelet there."""
    eigenvalues, eigenvectors = np.linalg.eigh(_laplacian(adjacency))
    frame, bound = _wavelet_frame()
    # ‖e_i g(L)‖² = Σ_k g(λ_k)² u_ik²
    energies = np.square(frame.evaluate(np.abs(eigenvalues))) @ np.square(eigenvectors).T
    return _shares(np.concatenate([np.histogram(energy, bins=_BINS, range=(0, bound))[0] for energy in energies]))


STATISTICS = {
    "degree": Statistic(degrees, 1.0),
    "clustering": Statistic(clustering, 0.1),
    "orbit": Statistic(orbits, 30.0),
    "spectral": Statistic(spectrum, 1.0),
    "wavelet": Statistic(wavelets, 1.0),
}
FIRST_STATISTICS = {
    "degree_emd": Statistic(degrees, 1.0, earth_mover(1.0)),
    "clustering_emd": Statistic(clustering, 0.1, earth_mover(1 / _BINS)),
    "orbit_l2": Statistic(orbits, 30.0, euclidean),
}


def _laplacian(adjacency: Adjacency) -> Float[np.ndarray, "n n"]:
    edges = adjacency.astype(float)
    degree = edges.sum(1)
    scale = np.where(degree > 0, degree, np.inf) ** -0.5
    laplacian: np.ndarray = np.diag((degree > 0).astype(float)) - scale[:, None] * edges * scale
    return laplacian


def _shares(counts: np.ndarray) -> Histogram:
    shares: np.ndarray = counts / max(counts.sum(), 1)
    return shares


@cache
def _wavelet_frame() -> tuple[Any, float]:
    from pygsp.filters import Abspline  # slow to import

    class Spectrum:
        lmax = 2.0

    frame = Abspline(Spectrum, _FILTERS)
    return frame, float(frame.evaluate(np.arange(0, 2, 0.01)).max())
