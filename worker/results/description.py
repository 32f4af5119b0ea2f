"""Exact properties of a molecule, beside its graph."""

from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from app.schemas import Graph
from models.descriptors import DESCRIPTORS

_DECIMALS = 4


def described(graph: Graph) -> Graph:
    """The graph of a valid molecule with its `DESCRIPTORS` and its formula; any other graph as it is. Counts are whole numbers."""
    smiles = graph.graph["smiles"]
    if smiles is None:
        return graph
    molecule = Chem.MolFromSmiles(smiles)
    values = {name: round(compute(molecule), _DECIMALS) for name, compute in DESCRIPTORS.items()}
    formula = rdMolDescriptors.CalcMolFormula(molecule)
    return graph.model_copy(update={"graph": {**graph.graph, "descriptors": {**values, "formula": formula}}})
