"""ZINC250k: every hundredth molecule in the default run, all of them in the slow one (minutes to build)."""

from collections import Counter

import pytest
from rdkit import Chem

from models.data import zinc250k
from models.data.encoding import LabelledGraph, encode_graphs
from models.data.zinc250k import EDGE_TYPES, NODE_TYPES, read_molecule, read_smiles, split_rows
from models.molecules import canonical_smiles, num_hydrogens, to_molecule


@pytest.fixture(scope="module")
def some() -> list[tuple[str, LabelledGraph]]:
    return [found for smiles in read_smiles()[::100] if (found := read_molecule(smiles))]


def test_a_graph_is_its_molecule_without_stereochemistry(some: list[tuple[str, LabelledGraph]]) -> None:
    back = [canonical_smiles(to_molecule(*graph)) for _, graph in some]

    assert back == [smiles for smiles, _ in some]
    assert not any("@" in smiles or "/" in smiles for smiles, _ in some)


def test_a_graph_has_the_hydrogens_of_its_molecule(some: list[tuple[str, LabelledGraph]]) -> None:
    for smiles, graph in some:
        assert sum(num_hydrogens(to_molecule(*graph))) == sum(num_hydrogens(Chem.MolFromSmiles(smiles)))


def test_a_radical_is_left_out() -> None:
    assert read_molecule("C[N]C") is None
    assert read_molecule("CNC") is not None


def test_a_smiles_that_rdkit_cannot_read_is_named() -> None:
    with pytest.raises(ValueError, match="'C1CC'"):
        read_molecule("C1CC")


def test_the_vocabulary_has_every_type(some: list[tuple[str, LabelledGraph]]) -> None:
    graphs = encode_graphs([graph for _, graph in some], NODE_TYPES, EDGE_TYPES)

    assert len(graphs) == len(some)
    assert 6 <= int(graphs.num_nodes.min()) <= int(graphs.num_nodes.max()) <= 38


def test_what_is_held_out_occurs_nowhere_else() -> None:
    smiles = [str(number // 2) if number < 4_000 else f"one {number}" for number in range(40_000)]

    rows = split_rows(smiles)

    held_out = [smiles[row] for split in ("validation", "test") for row in rows[split]]
    assert [len(rows[split]) for split in ("train", "validation", "test")] == [15_000, 5_000, 20_000]
    assert sorted(row for split in rows.values() for row in split) == list(range(40_000))
    assert len(set(held_out)) == len(held_out)
    assert not set(held_out) & {smiles[row] for row in rows["train"]}


@pytest.mark.slow
def test_the_whole_data_set_is_what_its_description_says() -> None:
    data = zinc250k.load_zinc250k()

    smiles = {split: zinc250k.canonical_molecules(split) for split in ("train", "validation", "test")}
    occurs = Counter(line for lines in smiles.values() for line in lines)
    assert [len(data.train), len(data.validation), len(data.test)] == [224_455, 5_000, 20_000]
    assert [len(lines) for lines in smiles.values()] == [224_455, 5_000, 20_000]
    assert sum(count for count in occurs.values() if count > 1) == 3_295
    assert all(occurs[line] == 1 for split in ("validation", "test") for line in smiles[split])
    assert (min(data.size_distribution()), data.max_nodes) == (6, 38)
    assert all(share > 0 for share in data.node_marginals())
