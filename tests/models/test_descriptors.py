from typing import get_args

import pytest

from models.card.config import Descriptor
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


def test_aspirins_descriptors_are_the_published_ones() -> None:
    found = describe("CC(=O)Oc1ccccc1C(=O)O")

    counts = {"hbd": 1, "hba": 3, "rotatable_bonds": 2, "rings": 1, "heavy_atoms": 13}
    assert {name: found[name] for name in counts} == counts
    assert found["tpsa"] == pytest.approx(63.6, abs=0.01)
    assert found["mw"] == pytest.approx(180.16, abs=0.01)


def test_only_those_asked_for_are_computed_and_every_name_of_a_request_is_known() -> None:
    assert describe("CCO", ["rings", "hbd"]) == {"rings": 0, "hbd": 1}
    assert set(get_args(Descriptor)) == set(DESCRIPTORS)
