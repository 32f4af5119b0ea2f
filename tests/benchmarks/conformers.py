"""Which conformer stands for a graph: how far each rule's geometry is from QM9's own, by GFN2-xTB.

    .venv/bin/python -m tests.benchmarks.conformers 100

Every geometry, QM9's too, is relaxed by GFN2-xTB and compared by what GFN2-xTB says of dipole moment and HOMO, which
takes a fraction of a second where density-functional theory takes ten. The rules see the graph alone, as
`models.evaluation.dft.quantum` does.
"""

import sys
from collections.abc import Mapping
from statistics import fmean, median

import numpy as np
from rdkit import Chem
from rdkit.Chem import AllChem
from tblite.interface import Calculator

from models.data.qm9_properties import HARTREE_IN_EV
from models.evaluation.dft.quantum import BOHR_IN_ANGSTROM, Geometry, relax
from models.molecules import canonical_smiles
from tests.models.evaluation.dft.test_quantum import published

DEBYE_IN_ATOMIC_UNITS = 2.541746
# Name -> (how many conformers, force field, dielectric constant; None: no charges at all).
RULES: Mapping[str, tuple[int, str, float | None]] = {
    "lowest of 10 by MMFF94": (10, "mmff", 1.0),
    "lowest of 30 by MMFF94": (30, "mmff", 1.0),
    "lowest of 10 by MMFF94 without charges": (10, "mmff", None),
    "lowest of 30, dielectric constant 4": (30, "mmff", 4.0),
    "lowest of 10 by UFF": (10, "uff", 1.0),
    "the first": (1, "mmff", 1.0),
}


def main(count: int) -> None:
    """Print the table for `count` test molecules."""
    errors: dict[str, list[tuple[float, float]]] = {rule: [] for rule in RULES}
    for smiles, geometry, _ in published(count):
        molecule = Chem.AddHs(Chem.MolFromSmiles(canonical_smiles(Chem.MolFromSmiles(smiles)) or ""))
        embedded = len(AllChem.EmbedMultipleConfs(molecule, 30, randomSeed=1))  # type: ignore[attr-defined]
        if not embedded or not AllChem.MMFFHasAllMoleculeParams(molecule):  # type: ignore[attr-defined]
            continue
        mu, homo = properties(relax(geometry))
        for rule, choice in RULES.items():
            found_mu, found_homo = properties(relax(chosen(molecule, *choice)))
            errors[rule].append((abs(found_mu - mu), abs(found_homo - homo)))
        print(f"\r{len(errors['the first'])} molecules", end="", file=sys.stderr, flush=True)  # noqa: T201
    print()  # noqa: T201
    for rule, pairs in errors.items():
        mus, homos = zip(*pairs, strict=True)
        print(f"{rule:40} mu {fmean(mus):.2f} (median {median(mus):.2f}) D  HOMO {fmean(homos):.3f} eV")  # noqa: T201


def chosen(molecule: Chem.Mol, count: int, field: str, dielectric: float | None) -> Geometry:
    """The conformer that a rule chooses."""
    copy, energies = Chem.Mol(molecule), []
    mmff = AllChem.MMFFGetMoleculeProperties(copy)  # type: ignore[attr-defined]
    if dielectric is None:
        mmff.SetMMFFEleTerm(False)
    else:
        mmff.SetMMFFDielectricConstant(dielectric)
    for conformer in list(copy.GetConformers())[:count]:
        force_field = (
            AllChem.MMFFGetMoleculeForceField(copy, mmff, confId=conformer.GetId())  # type: ignore[attr-defined]
            if field == "mmff"
            else AllChem.UFFGetMoleculeForceField(copy, confId=conformer.GetId())  # type: ignore[attr-defined]
        )
        force_field.Minimize(maxIts=2_000)
        energies.append((force_field.CalcEnergy(), conformer.GetId()))
    positions = copy.GetConformer(min(energies)[1]).GetPositions()
    return Geometry([atom.GetSymbol() for atom in copy.GetAtoms()], np.array(positions))


def properties(geometry: Geometry) -> tuple[float, float]:
    """Dipole moment in D and HOMO in eV by GFN2-xTB."""
    numbers = np.array([Chem.GetPeriodicTable().GetAtomicNumber(element) for element in geometry.elements])
    calculator = Calculator("GFN2-xTB", numbers, geometry.positions / BOHR_IN_ANGSTROM)
    calculator.set("verbosity", 0)
    result = calculator.singlepoint()
    highest = round(float(result.get("orbital-occupations").sum()) / 2) - 1
    dipole = float(np.linalg.norm(result.get("dipole"))) * DEBYE_IN_ATOMIC_UNITS
    return dipole, float(result.get("orbital-energies")[highest]) * HARTREE_IN_EV


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
