"""QM9, for all tests that read it."""

import pytest

from models.data import qm9
from models.data.dataset import GraphData


@pytest.fixture(scope="module")
def data() -> GraphData:
    return qm9.load_qm9()
