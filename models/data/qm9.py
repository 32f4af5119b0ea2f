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
from pathlib import Path

import numpy as np
import torch
from rdkit import Chem, rdBase

from models import molecules
from models.data.dataset import SPLITS, GraphData, load_graphs, save_graphs
from models.files import written_whole
from models.graphs import GraphBatch
from models.molecules import canonical_smiles, from_smiles

# Every type that occurs in the 130,831 molecules.
NODE_TYPES = ["C", "N", "O", "F", "N+", "O-", "C-", "N-"]
EDGE_TYPES = ["none", "single", "double", "triple"]
MAX_NODES = 9
SPLIT = "DiGress: RandomState(42).permutation(133885), 100000 / 20497 / rest of the original indices"

ROUND_TRIP = "Every graph of the data set converts back to its molecule: 0 exceptions in 130,831 (tests/models/data/test_qm9.py)."

_ORIGINAL_SIZE, _TRAIN_SIZE, _VALIDATION_SIZE, _SPLIT_SEED = 133_885, 100_000, 20_497, 42


def read_smiles() -> dict[str, list[str]]:
    """SMILES as the data set's authors wrote them, by split.

    Raises:
        ModuleNotFoundError: if the package `qm9pack` is not installed.
    """
    by_index: dict[int, str] = {}
    csv.field_size_limit(1 << 24)
    for part in (1, 2, 3):
        with (_package_folder() / "data" / f"qm9_part{part}.csv").open(newline="") as file:
            by_index.update((int(row["Index"]) - 1, row["SMILES"]) for row in csv.DictReader(file))
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
        "qm9", SPLIT, NODE_TYPES, EDGE_TYPES, graphs["train"], graphs["validation"], graphs["test"], notes=[ROUND_TRIP]
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


def cache_folder() -> Path:
    """Where built data sets are kept: `digress` in XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "digress"


def _cache_file(suffix: str) -> Path:
    """A file of the cache folder that belongs to this code: after a change of it, or of RDKit, there is none yet."""
    code = b"".join(Path(file).read_bytes() for file in (__file__, molecules.__file__))
    return cache_folder() / f"qm9-{hashlib.sha256(code + rdBase.rdkitVersion.encode()).hexdigest()[:12]}.{suffix}"


def _package_folder() -> Path:
    spec = importlib.util.find_spec("qm9pack")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "QM9 comes with the package 'qm9pack'; in the clone: .venv/bin/pip install -c constraints.txt -e '.[train]'"
        )
    return Path(spec.submodule_search_locations[0])
