"""Graphs as chemists' programs draw them. The one module of the API that knows RDKit."""

from collections.abc import Mapping
from typing import Any

from rdkit import Chem, RDLogger
from rdkit.Chem import rdDepictor

from app.schemas import Graph

_BONDS = {
    "single": Chem.BondType.SINGLE,
    "double": Chem.BondType.DOUBLE,
    "triple": Chem.BondType.TRIPLE,
    "aromatic": Chem.BondType.AROMATIC,
}
# Why a molecule is not valid is not the log's business.
RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]


def to_molecule(graph: Graph) -> Chem.Mol:
    """The molecule of a graph with atoms and bonds, atoms in the order of its nodes; valid or not."""
    molecule = Chem.RWMol()
    places = {}
    hydrogens_are_drawn = any(node["element"] == "H" for node in graph.nodes)
    for node in graph.nodes:
        atom = Chem.Atom(node["element"])
        atom.SetFormalCharge(node["charge"])
        atom.SetNoImplicit(hydrogens_are_drawn)
        places[node["id"]] = molecule.AddAtom(atom)
    for edge in graph.edges:
        molecule.AddBond(places[edge["source"]], places[edge["target"]], _BONDS[edge["type"]])
    if graph.graph["valid"]:
        Chem.SanitizeMol(molecule)
    else:
        molecule.UpdatePropertyCache(strict=False)
    return molecule.GetMol()


def sd_record(graph: Graph, data: Mapping[str, Any]) -> str:
    """A record of an SD file (CTfile formats, BIOVIA 2020) with its data, the molecule laid out in the plane."""
    molecule = to_molecule(graph)
    rdDepictor.Compute2DCoords(molecule)
    block = Chem.MolToMolBlock(molecule, kekulize=graph.graph["valid"])
    items = "".join(f">  <{name}>\n{value}\n\n" for name, value in data.items())
    return f"{block}{items}$$$$\n"
