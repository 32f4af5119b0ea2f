"""Properties that RDKit computes from a molecule alone: an exact answer, in milliseconds.

logp   octanol-water partition coefficient, Crippen's atom contributions (Wildman & Crippen 1999, doi:10.1021/ci990307l)
qed    quantitative estimate of drug-likeness, 0 to 1 (Bickerton et al. 2012, doi:10.1038/nchem.1243)
mw     average molecular weight in daltons, hydrogens included
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors

DESCRIPTORS: Mapping[str, Callable[[Chem.Mol], float]] = MappingProxyType(
    {
        "logp": Crippen.MolLogP,  # type: ignore[attr-defined]  # RDKit makes these names at import
        "qed": QED.qed,
        "mw": Descriptors.MolWt,  # type: ignore[attr-defined]
    }
)


def describe(smiles: str) -> dict[str, float]:
    """All descriptors of a molecule, by name.

    Raises:
        ValueError: if RDKit cannot read the SMILES.
    """
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise ValueError(f"RDKit cannot read {smiles!r}")
    return {name: float(compute(molecule)) for name, compute in DESCRIPTORS.items()}
