"""QM9: every molecule of up to nine atoms C, N, O, F that its authors could enumerate, with DFT properties.

Read from the package `qm9pack` (Ramakrishnan, the data set's first author; MIT): 130,831 molecules, the 3,054
that did not survive a consistency check already left out. Molecules are kekulised, hydrogens implicit; a charged
atom is a node type of its own. DiGress drew charged atoms as neutral ones with too many bonds.

The split is DiGress's: a permutation of the 133,885 original indices, the first 100,000 for training, the next
20,497 for validation, the rest for testing.

References:
    Ramakrishnan et al. 2014, Quantum chemistry structures and properties of 134 kilo molecules, doi:10.1038/sdata.2014.22
    Vignac et al. 2023, DiGress, arXiv:2209.14734, section 7.2
"""

import csv
import hashlib
import importlib.util
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from rdkit import Chem, rdBase
from safetensors.torch import load_file, save_file
from torch import Tensor

from models import descriptors, molecules
from models.data.dataset import SPLITS, GraphData, load_graphs, save_graphs
from models.descriptors import describe
from models.files import written_whole
from models.graphs import GraphBatch
from models.molecules import canonical_smiles, from_smiles

# Every type that occurs in the 130,831 molecules.
NODE_TYPES = ["C", "N", "O", "F", "N+", "O-", "C-", "N-"]
EDGE_TYPES = ["none", "single", "double", "triple"]
MAX_NODES = 9
SPLIT = "DiGress: RandomState(42).permutation(133885), 100000 / 20497 / rest of the original indices"

HARTREE_IN_EV = 27.211386245988


@dataclass(frozen=True)
class PropertySource:
    """A property, and where its values come from: a column of the tables times a factor, or RDKit."""

    name: str
    unit: str
    description: str
    column: str | None = None
    factor: float = 1.0


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

ROUND_TRIP = "Every graph of the data set converts back to its molecule: 0 exceptions in 130,831 (tests/models/data/test_qm9.py)."

_ORIGINAL_SIZE, _TRAIN_SIZE, _VALIDATION_SIZE, _SPLIT_SEED = 133_885, 100_000, 20_497, 42


def read_smiles() -> dict[str, list[str]]:
    """SMILES as the data set's authors wrote them, by split.

    Raises:
        ModuleNotFoundError: if the package `qm9pack` is not installed.
    """
    return {split: [row["SMILES"] for row in rows] for split, rows in read_rows(["SMILES"]).items()}


def read_rows(columns: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """The named columns of the package's tables, by split.

    Raises:
        ModuleNotFoundError: if the package `qm9pack` is not installed.
    """
    by_index: dict[int, dict[str, str]] = {}
    csv.field_size_limit(1 << 24)
    for part in (1, 2, 3):
        with (_package_folder() / "data" / f"qm9_part{part}.csv").open(newline="") as file:
            by_index.update(
                (int(row["Index"]) - 1, {column: row[column] for column in columns}) for row in csv.DictReader(file)
            )
    order = np.random.RandomState(_SPLIT_SEED).permutation(_ORIGINAL_SIZE)
    cuts = np.split(order, [_TRAIN_SIZE, _TRAIN_SIZE + _VALIDATION_SIZE])
    return {
        split: [by_index[i] for i in map(int, cut) if i in by_index] for split, cut in zip(SPLITS, cuts, strict=True)
    }


def load_qm9() -> GraphData:
    """QM9 as graphs; built once (about a minute) and kept in the user's cache folder."""
    cache = _cache_file("safetensors")
    if not cache.is_file():
        save_graphs({split: encode(smiles) for split, smiles in read_smiles().items()}, cache)
    graphs = load_graphs(cache)
    return GraphData(
        "qm9",
        "molecule",
        SPLIT,
        NODE_TYPES,
        EDGE_TYPES,
        graphs["train"],
        graphs["validation"],
        graphs["test"],
        notes=[ROUND_TRIP],
    )


def canonical_molecules(split: str) -> list[str]:
    """Canonical SMILES, without stereochemistry, of a split; made once (half a minute) and kept in the cache folder."""
    cache = _cache_file(f"{split}.smiles")
    if not cache.is_file():
        lines = [canonical_smiles(Chem.MolFromSmiles(smiles)) for smiles in read_smiles()[split]]
        with written_whole(cache) as partial:
            partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return cache.read_text(encoding="utf-8").split()


def encode(smiles: list[str]) -> GraphBatch:
    """Graphs over this module's vocabulary, padded to `MAX_NODES`, as int8."""
    nodes = np.zeros((len(smiles), MAX_NODES), np.int8)
    edges = np.zeros((len(smiles), MAX_NODES, MAX_NODES), np.int8)
    num_nodes = np.zeros(len(smiles), np.int8)
    for row, text in enumerate(smiles):
        parsed = from_smiles(text)
        if parsed is None:
            raise ValueError(f"RDKit cannot read the QM9 molecule {text!r}")
        atoms, bonds = parsed
        num_nodes[row] = len(atoms)
        nodes[row, : len(atoms)] = [NODE_TYPES.index(label) for label in atoms]
        for begin, end, label in bonds:
            edges[row, begin, end] = edges[row, end, begin] = EDGE_TYPES.index(label)
    return GraphBatch(torch.from_numpy(nodes), torch.from_numpy(edges), torch.from_numpy(num_nodes))


def load_properties() -> dict[str, Float[Tensor, "b p"]]:
    """The `PROPERTIES` of every molecule, by split, in the order of `load_qm9`; made once (a minute or two) and kept.

    Making them starts processes, so a script that calls this needs the usual `if __name__ == "__main__"`.

    Raises:
        ModuleNotFoundError: if the package `qm9pack` is not installed.
    """
    cache = _cache_file("properties.safetensors")
    if not cache.is_file():
        measured = [source for source in PROPERTIES if source.column]
        tables = {}
        # Not forked: torch may have started threads that a fork would leave locked.
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            for split, rows in read_rows(["SMILES", *(str(source.column) for source in measured)]).items():
                computed = pool.map(describe, (row["SMILES"] for row in rows), chunksize=1_000)
                tables[split] = torch.tensor(
                    [
                        [float(row[s.column]) * s.factor if s.column else by_rdkit[s.name] for s in PROPERTIES]
                        for row, by_rdkit in zip(rows, computed, strict=True)
                    ]
                )
        with written_whole(cache) as partial:
            save_file(tables, partial)
    return dict(load_file(cache))


def cache_folder() -> Path:
    """Where built data sets are kept: `digress` in XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "digress"


def _cache_file(suffix: str) -> Path:
    """A file of the cache folder that belongs to this code: after a change of it, or of RDKit, there is none yet."""
    code = b"".join(Path(file).read_bytes() for file in (__file__, molecules.__file__, descriptors.__file__))
    return cache_folder() / f"qm9-{hashlib.sha256(code + rdBase.rdkitVersion.encode()).hexdigest()[:12]}.{suffix}"


def _package_folder() -> Path:
    spec = importlib.util.find_spec("qm9pack")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "QM9 comes with the package 'qm9pack'; in the clone: .venv/bin/pip install -c constraints.txt -e '.[train]'"
        )
    return Path(spec.submodule_search_locations[0])
