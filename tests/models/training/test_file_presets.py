from pathlib import Path

import networkx as nx
import pytest

from models.data.catalogue import load_labelled
from models.training.file_presets import model_preset
from tests.models.data.files.conftest import SMILES, as_graphml, write


@pytest.mark.parametrize(
    ("what", "resistance", "eigenvalues"), [("small", True, False), ("large", True, True), ("molecules", False, False)]
)
def test_graphs_are_told_what_hangs_together_and_large_ones_in_which_communities(
    tmp_path: Path, what: str, resistance: bool, eigenvalues: bool
) -> None:
    if what == "molecules":
        path = write(tmp_path / "a.smi", *SMILES)
    else:
        path = as_graphml([nx.path_graph(40 if what == "large" else 12) for _ in range(12)], tmp_path / "a.graphml")

    features = model_preset(path, load_labelled(str(path)), name="a", max_minutes=1.0).features

    assert (features.resistance, features.eigenvalues > 0) == (resistance, eigenvalues)
