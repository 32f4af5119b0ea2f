from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import pytest
from pygsp.filters import Abspline
from pygsp.graphs import Graph
from scipy.stats import wasserstein_distance

from models.data.synthetic import draw
from models.evaluation.graphs import adjacencies
from models.evaluation.statistics import (
    FIRST_STATISTICS,
    STATISTICS,
    Statistic,
    clustering,
    degrees,
    orbits,
    spectrum,
    wavelets,
)

# MMD² of the first 30 graphs of seed 1 and of seed 2, by polygraph-benchmark 1.1.0 (GaussianTVMMD2Benchmark).
BY_POLYGRAPH = {
    "planar": {"degree": 0.0003164001, "clustering": 0.0411307233, "orbit": 0.0011730811, "spectral": 0.0109424711},
    "comm20": {"degree": 0.0076972323, "clustering": 0.0674012071, "orbit": 0.0145474587, "spectral": 0.0115221537},
}


def matrix(graph: nx.Graph) -> np.ndarray:
    found: np.ndarray = nx.to_numpy_array(graph) > 0
    return found


@pytest.mark.parametrize("family", ["planar", "comm20"])
def test_distances_are_those_of_an_independent_package(family: str) -> None:
    first, second = (list(adjacencies(draw(family, 30, seed=seed))) for seed in (1, 2))  # type: ignore[arg-type]

    for name, expected in BY_POLYGRAPH[family].items():
        statistic = STATISTICS[name]
        one, other = ([statistic.of_graph(graph) for graph in side] for side in (first, second))
        assert statistic.squared_mmd(one, other) == pytest.approx(expected, abs=1e-9)


def test_histograms_of_graphs_that_theory_knows() -> None:
    star, complete, cycle = (matrix(graph) for graph in (nx.star_graph(4), nx.complete_graph(6), nx.cycle_graph(8)))

    assert degrees(star).tolist() == [0, 0.8, 0, 0, 0.2]
    assert clustering(complete)[-1] == 1
    assert clustering(cycle)[0] == 1
    # The eigenvalues of a complete graph are 0 and five times 6/5, those of a star 0, 2 and three times 1.
    assert np.flatnonzero(spectrum(complete)).tolist() == [0, 120]
    assert spectrum(complete)[120] == pytest.approx(5 / 6)
    assert spectrum(star)[0] == spectrum(star)[-1] == pytest.approx(0.2)


def test_eigenvalues_are_networkx_own() -> None:
    graph = nx.connected_watts_strogatz_graph(20, 4, 0.3, seed=1)

    expected = np.linalg.eigvalsh(nx.normalized_laplacian_matrix(graph).toarray())

    assert np.allclose(spectrum(matrix(graph)) * 20, np.histogram(expected, bins=200, range=(-1e-5, 2))[0])


def test_all_nodes_of_a_symmetric_graph_have_the_same_wavelets() -> None:
    cycle, path = (wavelets(matrix(graph)).reshape(12, 100) for graph in (nx.cycle_graph(12), nx.path_graph(12)))

    assert ((cycle > 0).sum(1) == 1).all()
    assert ((path > 0).sum(1) > 1).any()
    assert cycle.sum(1) == pytest.approx(1 / 12)


def impulses_filtered(graph: nx.Graph) -> np.ndarray:
    """The histogram of wavelets by an independent package, which filters an impulse at every node."""
    signals = Graph(nx.to_numpy_array(graph), lap_type="normalized")
    signals.compute_fourier_basis()
    signals._lmax = 2.0  # the frame is laid on all that a normalised Laplacian can have, for all graphs alike
    filtered = Abspline(signals, 12).filter(np.eye(len(graph)), method="exact")  # node, impulse, filter

    energies = np.square(filtered).sum(0).T
    bound = Abspline(signals, 12).evaluate(np.arange(0, 2, 0.01)).max()
    counts = np.concatenate([np.histogram(energy, bins=100, range=(0, bound))[0] for energy in energies])
    shares: np.ndarray = counts / counts.sum()
    return shares


def test_wavelets_are_those_of_impulses_filtered_by_an_independent_package() -> None:
    graph = nx.connected_watts_strogatz_graph(20, 4, 0.3, seed=1)

    assert np.allclose(wavelets(matrix(graph)), impulses_filtered(graph))


def gaussian_of_distances(
    one: list[Any], other: list[Any], distance: Callable[[Any, Any], float], width: float
) -> float:
    """MMD², pair by pair."""

    def mean(first: list[Any], second: list[Any]) -> float:
        return float(np.mean([[np.exp(-(distance(x, y) ** 2) / (2 * width**2)) for y in second] for x in first]))

    return mean(one, one) + mean(other, other) - 2 * mean(one, other)


def small_worlds(rewired: float) -> list[nx.Graph]:
    return [nx.connected_watts_strogatz_graph(20, 4, rewired, seed=number) for number in range(5)]


def test_wavelets_are_compared_by_total_variations_of_one() -> None:
    one, other = small_worlds(0.1), small_worlds(0.6)

    found = STATISTICS["wavelet"].squared_mmd([wavelets(matrix(g)) for g in one], [wavelets(matrix(g)) for g in other])

    assert found == pytest.approx(
        gaussian_of_distances(
            [impulses_filtered(g) for g in one],
            [impulses_filtered(g) for g in other],
            lambda x, y: float(abs(x - y).sum() / 2),
            1.0,
        )
    )


def test_the_first_statistics_are_compared_by_the_earth_movers_distance_of_an_independent_package() -> None:
    one, other = small_worlds(0.1), small_worlds(0.6)

    def by_degrees(x: nx.Graph, y: nx.Graph) -> float:
        return float(wasserstein_distance([d for _, d in x.degree], [d for _, d in y.degree]))

    def by_clustering(x: nx.Graph, y: nx.Graph) -> float:
        first, second = ([min(int(100 * c), 99) / 100 for c in nx.clustering(g).values()] for g in (x, y))
        return float(wasserstein_distance(first, second))

    def by_orbits(x: nx.Graph, y: nx.Graph) -> float:
        return float(np.linalg.norm(orbits(matrix(x)) - orbits(matrix(y))))

    found = {
        name: statistic.squared_mmd(*([statistic.of_graph(matrix(graph)) for graph in side] for side in (one, other)))
        for name, statistic in FIRST_STATISTICS.items()
    }

    assert found == pytest.approx(
        {
            "degree_emd": gaussian_of_distances(one, other, by_degrees, 1.0),
            "clustering_emd": gaussian_of_distances(one, other, by_clustering, 0.1),
            "orbit_l2": gaussian_of_distances(one, other, by_orbits, 30.0),
        }
    )


def test_a_set_is_at_no_distance_from_itself_and_the_distance_of_two_graphs_is_the_kernels() -> None:
    one, other = np.array([0.5, 0.5]), np.array([0.25, 0.25, 0.5])

    assert Statistic(degrees, 1.0).squared_mmd([one, other], [one, other]) == pytest.approx(0)
    # They differ by a total variation of one half.
    assert Statistic(degrees, 0.25).squared_mmd([one], [other]) == pytest.approx(2 - 2 * np.exp(-2))


def test_isolated_nodes_are_no_error() -> None:
    empty = np.zeros((5, 5), bool)

    for statistic in STATISTICS.values():
        assert np.isfinite(statistic.of_graph(empty)).all()
