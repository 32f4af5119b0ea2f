import pytest

from models.descriptors import DESCRIPTORS, describe


def test_ethanol_has_the_published_weight_and_partition_coefficient() -> None:
    found = describe("CCO")

    assert found.keys() == DESCRIPTORS.keys()
    assert found["mw"] == pytest.approx(46.07, abs=0.005)
    assert found["logp"] == pytest.approx(-0.0014, abs=1e-4)
    assert 0 < found["qed"] < 1


def test_a_smiles_that_rdkit_cannot_read_is_named() -> None:
    with pytest.raises(ValueError, match="'C1CC'"):
        describe("C1CC")
