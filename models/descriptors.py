"""Properties that RDKit computes from a molecule alone: an exact answer, in milliseconds.

mw               average molecular weight in daltons, hydrogens included
logp             octanol-water partition coefficient, Crippen's atom contributions (Wildman & Crippen 1999, doi:10.1021/ci990307l)
qed              quantitative estimate of drug-likeness, 0 to 1 (Bickerton et al. 2012, doi:10.1038/nchem.1243)
tpsa             topological polar surface area of N and O, Å² (Ertl et al. 2000, doi:10.1021/jm000942e)
hbd, hba         hydrogen-bond donors and acceptors
rotatable_bonds  by RDKit's strict definition, without amides
rings            rings of the smallest set of smallest rings
sa               synthetic accessibility, 1 (easy) to 10 (`models.synthetic_accessibility`)
heavy_atoms      atoms that are not hydrogen
"""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final

from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors, rdMolDescriptors

from models.card.config import Descriptor
from models.synthetic_accessibility import synthetic_accessibility

DESCRIPTORS: Final[Mapping[Descriptor, Callable[[Chem.Mol], float]]] = MappingProxyType(
    {
        "mw": Descriptors.MolWt,  # type: ignore[attr-defined]  # RDKit makes these names at import
        "logp": Crippen.MolLogP,  # type: ignore[attr-defined]
        "qed": QED.qed,
        "tpsa": rdMolDescriptors.CalcTPSA,
        "hbd": rdMolDescriptors.CalcNumHBD,
        "hba": rdMolDescriptors.CalcNumHBA,
        "rotatable_bonds": rdMolDescriptors.CalcNumRotatableBonds,
        "rings": rdMolDescriptors.CalcNumRings,
        "sa": synthetic_accessibility,
        "heavy_atoms": Chem.Mol.GetNumHeavyAtoms,
    }
)


def describe(smiles: str, names: Collection[Descriptor] = tuple(DESCRIPTORS)) -> dict[str, float]:
    """Descriptors of a molecule, by name.

    Raises:
        ValueError: if RDKit cannot read the SMILES.
    """
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise ValueError(f"RDKit cannot read {smiles!r}")
    return {name: float(DESCRIPTORS[name](molecule)) for name in names}
