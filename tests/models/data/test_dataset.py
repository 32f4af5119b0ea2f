import pytest

from models.data.dataset import GraphData


def test_the_statistics_are_those_of_the_training_split(data: GraphData) -> None:
    sizes = data.size_distribution()

    assert data.max_nodes == 9
    assert sum(sizes.values()) == pytest.approx(1)
    assert sizes[9] == pytest.approx(0.83, abs=0.01)
    assert data.node_marginals()[0] == pytest.approx(0.72, abs=0.01)
    assert data.edge_marginals()[0] == pytest.approx(0.73, abs=0.01)
