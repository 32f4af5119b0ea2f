import pytest
from rdkit import Chem

from app.http.examples import named_examples
from app.pictures.formats import Format, serialize
from app.schemas import Graph


@pytest.mark.parametrize("form", [Format.NDJSON, Format.GRAPHML, Format.SMILES])
def test_the_example_of_a_form_is_that_of_the_graph(form: Format) -> None:
    found = named_examples()

    assert serialize(Graph.model_validate(found["graph"]), form) == found[form]


def test_the_example_of_an_sd_file_is_that_of_the_graph() -> None:
    found = named_examples()

    pairs = zip(
        found["sdf"].split("M  END"),
        serialize(Graph.model_validate(found["graph"]), Format.SDF).split("M  END"),
        strict=True,
    )

    (block, again), (data, written) = pairs
    # Where atoms lie is RDKit's business.
    assert Chem.MolToSmiles(Chem.MolFromMolBlock(f"{block}M  END")) == Chem.MolToSmiles(
        Chem.MolFromMolBlock(f"{again}M  END")
    )
    assert data == written
