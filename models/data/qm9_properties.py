"""Properties of QM9's molecules: those that its authors computed by density-functional theory, and RDKit's.

A guide learns from the first 70,000 molecules of the training split. A judge learns from the others and from most of the validation split,
so that the two have no molecule in common.

Reference: Ramakrishnan et al. 2014, Quantum chemistry structures and properties of 134 kilo molecules, doi:10.1038/sdata.2014.22
"""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from models import descriptors
from models.card.config import Descriptor, RegressorRole
from models.data import qm9
from models.data.dataset import LabelledGraphs
from models.data.named import LabelledSplits, Labels, PropertySource
from models.descriptors import describe

HARTREE_IN_EV = 27.211386245988


PROPERTIES = (
    PropertySource("mu", "D", "Dipole moment, B3LYP/6-31G(2df,p)", "Dipole_debye"),
    PropertySource(
        "homo", "eV", "Energy of the highest occupied orbital, B3LYP/6-31G(2df,p)", "HOMO_au", HARTREE_IN_EV
    ),
    PropertySource("lumo", "eV", "Energy of the lowest empty orbital, B3LYP/6-31G(2df,p)", "LUMO_au", HARTREE_IN_EV),
    PropertySource("gap", "eV", "LUMO minus HOMO, B3LYP/6-31G(2df,p)", "HOMO_LUMO_gap_au", HARTREE_IN_EV),
    PropertySource("logp", "", "Octanol-water partition coefficient after Crippen, by RDKit"),
    PropertySource("qed", "", "Quantitative estimate of drug-likeness, by RDKit"),
    PropertySource("mw", "Da", "Molecular weight with hydrogens, by RDKit"),
)

_BY_RDKIT: tuple[Descriptor, ...] = ("logp", "qed", "mw")
_GUIDE_MOLECULES = 70_000
_JUDGE_VALIDATION = 2_048


def load_properties() -> dict[str, Float[Tensor, "b p"]]:
    """The `PROPERTIES` of every molecule, by split, in the order of `models.data.qm9.load_qm9`; made once (a minute or two) and kept.

    Making them starts processes, so a script that calls this needs the usual `if __name__ == "__main__"`.

    Raises:
        ModuleNotFoundError: if the package `qm9pack` is not installed.
    """

    def build(path: Path) -> None:
        measured = [source for source in PROPERTIES if source.column]
        tables = {}
        # Not forked: torch may have started threads that a fork would leave locked.
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            for split, rows in qm9.read_rows(["SMILES", *(str(source.column) for source in measured)]).items():
                computed = pool.map(
                    partial(describe, names=_BY_RDKIT), (row["SMILES"] for row in rows), chunksize=1_000
                )
                tables[split] = torch.tensor(
                    [
                        [float(row[s.column]) * s.factor if s.column else by_rdkit[s.name] for s in PROPERTIES]
                        for row, by_rdkit in zip(rows, computed, strict=True)
                    ]
                )
        save_file(tables, path)

    return dict(
        load_file(qm9.cached_file("properties.safetensors", build, extra_sources=(__file__, descriptors.__file__)))
    )


def split_for(splits: LabelledSplits, role: RegressorRole) -> LabelledSplits:
    """What a guide learns from, and what a judge."""
    if role == "guide":
        return LabelledSplits(
            splits.train[:_GUIDE_MOLECULES],
            splits.validation,
            splits.test,
            f"{splits.split}; the first {_GUIDE_MOLECULES} training molecules",
        )
    return LabelledSplits(
        LabelledGraphs.concatenate([splits.train[_GUIDE_MOLECULES:], splits.validation[_JUDGE_VALIDATION:]]),
        splits.validation[:_JUDGE_VALIDATION],
        splits.test,
        f"{splits.split}; the training molecules after the first {_GUIDE_MOLECULES}, "
        f"and the validation molecules after the first {_JUDGE_VALIDATION}",
    )


LABELS = Labels(PROPERTIES, load_properties, split_for)
