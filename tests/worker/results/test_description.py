from tests.worker.results.conftest import make_graph
from worker.results.description import described


def test_a_valid_molecule_gets_its_exact_properties_and_keeps_what_it_had() -> None:
    before = make_graph("CC(=O)Oc1ccccc1C(=O)O")

    after = described(before)

    found = after.graph.pop("descriptors")
    assert after.graph == before.graph
    assert "descriptors" not in before.graph
    assert (found["formula"], found["mw"], found["tpsa"]) == ("C9H8O4", 180.159, 63.6)
    assert repr(found["hbd"]) == "1"
    assert found.keys() == {
        *("mw", "logp", "qed", "tpsa", "hbd", "hba", "rotatable_bonds", "rings", "sa", "heavy_atoms", "formula")
    }


def test_what_is_not_valid_stays_as_it_is() -> None:
    assert described(make_graph(None)) == make_graph(None)
