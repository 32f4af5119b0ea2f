import pytest
from rdkit import Chem

from models.given.marks import choose, read_marked
from models.given.partial import GivenError
from models.given.smiles import parts_of_smiles

ATOMS = ["C", "N", "O", "F", "S", "N+", "O-"]
BONDS = ["none", "single", "double", "triple"]
MOLECULES = [
    "CCO",
    "c1ccccc1C",
    "c1cc[nH]c1",
    "C[N+](=O)[O-]",
    "CS(=O)(=O)NC",
    "O=c1cc[nH]cc1",
    "C[NH+](C)C",
    "N#CC1CC1=O",
    "c1ccc2[nH]ccc2c1",
]


def choice(smiles: str, *keep: int, opened: tuple[int, ...] = (), closed: tuple[int, ...] = ()) -> str | None:
    return choose(read_marked(smiles), keep or None, opened=opened, closed=closed).smiles


def same(first: str | None, second: str) -> bool:
    return first is not None and Chem.MolToSmiles(Chem.MolFromSmiles(first)) == Chem.MolToSmiles(
        Chem.MolFromSmiles(second)
    )


def test_a_part_that_nobody_changes_stays_what_it_is() -> None:
    assert same(choice("c1ccccc1*"), "*c1ccccc1")
    assert same(choice("C1CC1*.NC(=O)*"), "C1CC1*.NC(=O)*")
    assert same(choice("c1ccccc1"), "c1ccccc1")
    assert same(choice("*n1cccc1"), "*n1cccc1")


def test_it_is_open_where_a_neighbour_is_left_out() -> None:
    assert same(choice("CCOC", 0, 1), "CC*")
    assert same(choice("Cc1ccccc1O", *range(1, 7)), "*c1ccccc1*")
    assert same(choice("CC(=O)N", 1, 3), "*CN")
    assert same(choice("C[N+](=O)[O-]", 1, 3), "*[NH2+][O-]")
    assert same(choice("CCCC", 0, 3), "*C.*C")


def test_atoms_are_opened_and_closed() -> None:
    assert same(choice("Cc1ccccc1*", opened=(3,), closed=(6,)), "Cc1cc(*)ccc1")
    assert same(choice("c1cc[nH]c1", closed=(0, 1, 2, 4)), "*n1cccc1")
    assert same(choice("CCO", closed=(1,)), "*CCO*")
    assert same(choice("CC(C)(C)O", opened=(4,), closed=(0, 2, 3)), "CC(C)(C)O*")


def test_what_leaves_nothing_open_has_a_problem_and_no_smiles() -> None:
    closed = choose(read_marked("CO*"), closed=(1,))
    full = choose(read_marked("FC(F)(F)F"))
    empty = choose(read_marked("CO"), [])

    assert (closed.smiles, closed.problem) == (None, "no atom is open; open one, where the rest may attach")
    assert full.smiles is None
    assert "no atom of this part has a hydrogen" in (full.problem or "")
    assert (empty.smiles, empty.problem) == (None, None)


@pytest.mark.parametrize(
    ("smiles", "keep", "opened", "field", "words"),
    [
        ("CO", [2], [], "keep", "there is no atom 2; atoms are numbered from 0 to 1"),
        ("CO", None, [-1], "open", "there is no atom -1"),
        ("CC(C)(C)C", None, [1], "open", "atom 1 has no hydrogen to replace"),
    ],
)
def test_a_wrong_number_is_named(
    smiles: str, keep: list[int] | None, opened: list[int], field: str, words: str
) -> None:
    with pytest.raises(GivenError, match=words) as caught:
        choose(read_marked(smiles), keep, opened=opened)

    assert caught.value.field == field


@pytest.mark.parametrize("smiles", ["no", "C*C", "C=*", "*", "C" * 201, "[13CH4]C("])
def test_what_is_no_part_is_refused(smiles: str) -> None:
    with pytest.raises(GivenError):
        read_marked(smiles)


@pytest.mark.parametrize("smiles", MOLECULES)
def test_every_two_neighbours_make_a_part_that_a_model_takes(smiles: str) -> None:
    source = read_marked(smiles)

    for bond in source.molecule.GetBonds():
        ends = {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()}
        found = choose(source, ends)
        assert found.open <= found.can_open <= found.kept == ends
        if found.smiles is None:
            assert found.problem
            continue
        (part, *_) = parts_of_smiles(found.smiles, ATOMS, BONDS)
        assert len(part) == 2
        assert len(part.closed) == 2 - len(found.open)
        assert same(choose(read_marked(found.smiles)).smiles, found.smiles)
