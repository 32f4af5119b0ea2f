"""Any request for molecules: what is given, what graphs are near, and what they must be, in any combination."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from rdkit import Chem

from models.descriptors import describe
from models.given.smiles import parts_of_smiles
from models.molecules import BONDS
from tests.conftest import ShippedService

NODE_TYPES, EDGE_TYPES = ["C", "N", "O", "F"], ["none", *BONDS]
PARTS = ["c1ccccc1*", "C1CC1*.N*", "C(=O)N", "*C#N", "CCO", "F*", "CC(C)(C)C", "[OH]*", "C1=CC=CC=C1*", "Br*", "C*C"]
FORMULAS = ["C5NO", "C4H9NO", "C9", "C30", "CH4", "C6O2", "C2H6O"]
MOLECULES = ["CC(O)C1CC1C=O", "c1ccccc1O", "CCO", "NC1=NC=CO1", "BrCC"]
PATTERNS = ["[OX2H]", "C(=O)", "a", "[#7]", "*~*~*~*~*~*~*~*~*", "[$(*.*.*.*.[Au])]", "C("]

lows, highs = st.floats(-2, 2), st.floats(2, 200)
bounds = st.one_of(
    st.fixed_dictionaries({"min": lows}),
    st.fixed_dictionaries({"max": highs}),
    st.fixed_dictionaries({"min": lows, "max": highs}),
)
givens = st.fixed_dictionaries(
    {}, optional={"smiles": st.sampled_from(PARTS), "formula": st.sampled_from(FORMULAS)}
).filter(len)
nears = st.fixed_dictionaries(
    {"smiles": st.sampled_from(MOLECULES)}, optional={"strength": st.floats(0, 1), "unchanged": st.booleans()}
)
filters = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("valid", "unique", "connected"), st.booleans()),
        "stable": st.just(False),
        "contains": st.lists(st.sampled_from(PATTERNS), max_size=2),
        "lacks": st.lists(st.sampled_from(PATTERNS), max_size=2),
        "properties": st.dictionaries(
            st.sampled_from(
                ["mw", "logp", "qed", "tpsa", "hbd", "hba", "rotatable_bonds", "rings", "sa", "heavy_atoms"]
            ),
            bounds,
            max_size=2,
        ),
        "similarity": st.builds(
            lambda smiles, limits: {"smiles": smiles, **limits}, st.sampled_from(MOLECULES), bounds
        ),
        "diverse": st.floats(0.05, 0.9),
    },
)
requests = st.fixed_dictionaries(
    {
        "model": st.just("qm9"),
        "num_graphs": st.integers(1, 5),
        "seed": st.integers(0, 1_000),
        "num_steps": st.integers(1, 3),
        "sampler": st.sampled_from(["mixed", "ancestral", "renoise"]),
    },
    optional={
        "given": givens,
        "near": nears,
        "filter": filters,
        "descriptors": st.booleans(),
        "targets": st.just({"logp": 1.0}),
    },
)


@settings(
    max_examples=25,
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=requests)
def test_no_request_is_a_fault_and_what_was_given_is_kept(
    shipped_service: ShippedService, body: dict[str, Any]
) -> None:
    path = "/generate/conditional" if "targets" in body else "/generate"

    answer = shipped_service.client.post(path, json=body, headers={"Prefer": "wait=60"})

    event(str(answer.status_code))
    job = answer.json()
    assert answer.status_code in {200, 422}, job
    if answer.status_code == 422:
        assert job["errors"][0]["detail"]
        return
    assert job["status"] == "succeeded", job
    assert len(job["graphs"]) + job["summary"]["short"] == body["num_graphs"]
    assert (job["summary"]["note"] is None) == (job["summary"]["short"] == 0)
    for graph in job["graphs"]:
        check_given(body.get("given") or {}, graph)
        check_filter(body.get("filter") or {}, graph["graph"]["smiles"])
        assert ("descriptors" in graph["graph"]) == (body.get("descriptors", False) and graph["graph"]["valid"])
    if body.get("filter", {}).get("unique"):
        smiles = [graph["graph"]["smiles"] for graph in job["graphs"] if graph["graph"]["valid"]]
        assert len(smiles) == len(set(smiles))


def check_given(wanted: dict[str, str], graph: dict[str, Any]) -> None:
    """The part is there: its atoms, and as many bonds among them."""
    if "smiles" not in wanted:
        return
    part = parts_of_smiles(wanted["smiles"], NODE_TYPES, EDGE_TYPES)[0]
    kept = {node["id"]: node["type"] for node in graph["nodes"] if node.get("given")}
    among = [edge for edge in graph["edges"] if {edge["source"], edge["target"]} <= set(kept)]
    assert not Counter(NODE_TYPES[node] for node in part.nodes if node is not None) - Counter(kept.values())
    assert len(among) >= sum(category > 0 for category in part.pairs.values())


def check_filter(wanted: dict[str, Any], smiles: str | None) -> None:
    """RDKit by itself says that the molecule is what it must be."""
    about_molecules = [wanted.get(name) for name in ("valid", "contains", "lacks", "properties", "similarity")]
    if not any(about_molecules):
        return
    assert smiles is not None
    molecule = Chem.MolFromSmiles(smiles)
    assert all(molecule.HasSubstructMatch(Chem.MolFromSmarts(smarts)) for smarts in wanted.get("contains", []))
    assert not any(molecule.HasSubstructMatch(Chem.MolFromSmarts(smarts)) for smarts in wanted.get("lacks", []))
    for name, limits in wanted.get("properties", {}).items():
        assert limits.get("min", -1e9) <= pytest.approx(describe(smiles)[name]) <= limits.get("max", 1e9)
