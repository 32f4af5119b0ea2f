from pathlib import Path

import pytest
import torch

from models.data.files.load import load_file
from models.data.files.parsed import DataFileError
from tests.models.data.files.conftest import SMILES, write


@pytest.mark.parametrize(
    ("name", "lines", "words"),
    [
        ("a.smi", ["C", "", "C1CC", "CC"], "a.smi, line 3: RDKit cannot read the SMILES 'C1CC'"),
        ("a.smi", ["x("] * 9, "line 5: RDKit cannot read the SMILES 'x('; and 4 lines more"),
        ("a.csv", ["name,mass", "a,1"], "line 1: no column is called smiles, but 'name', 'mass'; a header names"),
        (
            "a.csv",
            ["smiles;mass", "C;1"],
            "no column is called smiles, but 'smiles;mass'; a header names the columns, with commas",
        ),
        ("a.tsv", [], "line 1: no column is called smiles, but none; a header names the columns, with tabs"),
        (
            "a.csv",
            ["smiles,x,name", "C,1,methane", 'CC,2,"ethane', *["C,1,methane"] * 20],
            "line 3: unexpected end of data",
        ),
        (
            "a.csv",
            ["smiles,x", "C,1", 'CC,"2" or so', "C,1"],
            "line 3: ',' expected after '\"'; is a quote not closed, or not doubled",
        ),
        ("a.csv", ["smiles,x,X", "C,1,2"], "line 1: more than one column is called x"),
        ("a.csv", ["smiles,x", "C,1", "CC,n/a"], "line 3: column x is 'n/a', and elsewhere a number"),
        ("a.csv", ["smiles,x", "C,1", "CC"], "line 3: 1 columns where the header has 2"),
        (
            "a.csv",
            ["smiles,µ", "C,1"],
            "a.csv, line 1: the name of the property 'µ' has no letter from a to z and no digit",
        ),
        ("a.csv", ["smiles,a b,a_b", "C,1,2"], "line 1: more than one column is called a_b: 'a b' and 'a_b'"),
        (
            "a.csv",
            ["smiles,x", "C,1", "C,-2e38"],
            "line 3: the property x is -2e+38, and values from -1e+30 to 1e+30 can",
        ),
        ("a.smi", ["C", "[NH3]->[Cu]"], "line 2: '[NH3]->[Cu]' has a bond of the type dative; known are single"),
        ("a.smi", ["C", "[2H]C"], "line 2: '[2H]C' has H as an atom of its own"),
        ("a.smi", ["C", "[CH2]"], "line 2: '[CH2]' has an atom with more or fewer hydrogens than"),
        ("a.csv", ["smiles", "CC[O]"], "line 2: 'CC[O]' has an atom with more or fewer hydrogens than"),
        ("a.smi", ["C[PH4]"], "line 1: 'C[PH4]' has an atom with more or fewer hydrogens than"),
        ("a.smi", ["*CC"], "line 1: '*CC' has * as an atom of its own"),
        ("a.csv", ["smiles,x", 'C,"1', "2", '"', "C1CC,3"], "line 5: RDKit cannot read"),
        ("a.csv", ["smiles,name", 'C1CC,"one', 'two"', "C,three"], "line 2: RDKit cannot read"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, name: str, lines: list[str], words: str) -> None:
    with pytest.raises(DataFileError) as error:
        load_file(write(tmp_path / name, *lines))

    assert words in str(error.value)


def test_hydrogens_in_brackets_may_be_those_that_are_implied(tmp_path: Path) -> None:
    smiles = [
        "[CH4]",
        "c1cc[nH]c1",
        "[NH4+]",
        "C[N+](=O)[O-]",
        "[13CH3][C@H](N)O",
        "[Na+].[Cl-]",
        "[Cu+2]",
        "C[PH](=O)O",
    ]

    data = load_file(write(tmp_path / "a.smi", *smiles, "C[SiH3]", "[BH4-]"))

    assert data.graphs.domain == "molecule"


def test_numeric_columns_are_properties_and_other_columns_are_not(tmp_path: Path) -> None:
    rows = [f"mol{i},{text},{i / 2},{i}" for i, text in enumerate(SMILES)]
    path = write(tmp_path / "mine.csv", "Name,SMILES,Log P,2nd", *rows)

    data = load_file(path)

    assert data.properties == ["log_p", "property_2nd"]
    joined = torch.cat(list(data.values.values()))
    assert sorted(joined[:, 0].tolist()) == [i / 2 for i in range(12)]
    assert torch.equal(joined[:, 1], 2 * joined[:, 0])


def test_a_column_without_a_name_is_no_property(tmp_path: Path) -> None:
    rows = (f"{i},{text},{i},as you like" for i, text in enumerate(SMILES))
    path = write(tmp_path / "a.csv", ",smiles,x,名", *rows)

    assert load_file(path).properties == ["x"]
