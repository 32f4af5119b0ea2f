"""QM9: every molecule of up to nine atoms C, N, O, F that its authors could enumerate.

Its properties: `models.data.qm9_properties`.

Read from the package `qm9pack` (Ramakrishnan, the data set's first author; MIT): 130,831 molecules, the 3,054
that did not survive a consistency check already left out. Molecules are kekulised.

    qm9      hydrogens implicit, up to 9 atoms; a charged atom is a node type of its own
    qm9-h    hydrogens drawn, up to 29 atoms of 5 types; the 580 molecules with charged atoms are left out

DiGress drew charged atoms as neutral ones with too many bonds.

The split is DiGress's: a permutation of the 133,885 original indices, the first 100,000 for training, the next
20,497 for validation, the rest for testing.

References:
    Ramakrishnan et al. 2014, Quantum chemistry structures and properties of 134 kilo molecules, doi:10.1038/sdata.2014.22
    Vignac et al. 2023, DiGress, arXiv:2209.14734, section 7.2
"""

import csv
import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rdkit import Chem, rdBase

from models import molecules
from models.data import encoding
from models.data.cache import cached
from models.data.dataset import SPLITS, GraphData, load_graphs, save_graphs
from models.data.encoding import encode_graphs
from models.graphs import GraphBatch
from models.molecules import canonical_smiles, from_smiles

# Every type that occurs in the 130,831 molecules.
NODE_TYPES = ["C", "N", "O", "F", "N+", "O-", "C-", "N-"]
EDGE_TYPES = ["none", "single", "double", "triple"]
MAX_NODES = 9
NODE_TYPES_WITH_HYDROGENS = ["H", "C", "N", "O", "F"]
SPLIT = "DiGress: RandomState(42).permutation(133885), 100000 / 20497 / rest of the original indices"

_ROUND_TRIP = (
    "Every graph of the data set converts back to its molecule: 0 exceptions in {} (tests/models/data/test_qm9.py)."
)
ROUND_TRIP = _ROUND_TRIP.format("130,831")
ROUND_TRIP_WITH_HYDROGENS = _ROUND_TRIP.format("130,251")

NO_CHARGES = "580 molecules with charged atoms are left out."

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


def load_qm9(*, draw_hydrogens: bool = False) -> GraphData:
    """QM9 as graphs; built once (about a minute) and kept in the user's cache folder.

    Raises:
        ModuleNotFoundError: if the package `qm9pack` is not installed.
    """
    node_types = NODE_TYPES_WITH_HYDROGENS if draw_hydrogens else NODE_TYPES

    def build(path: Path) -> None:
        splits = {split: encode(smiles, draw_hydrogens=draw_hydrogens) for split, smiles in read_smiles().items()}
        save_graphs(splits, path)

    graphs = load_graphs(cached_file("hydrogens.safetensors" if draw_hydrogens else "safetensors", build))
    return GraphData(
        name="qm9-h" if draw_hydrogens else "qm9",
        domain="molecule",
        split=SPLIT,
        node_types=node_types,
        edge_types=EDGE_TYPES,
        train=graphs["train"],
        validation=graphs["validation"],
        test=graphs["test"],
        notes=[ROUND_TRIP_WITH_HYDROGENS, NO_CHARGES] if draw_hydrogens else [ROUND_TRIP],
    )


def canonical_molecules(split: str) -> list[str]:
    """Canonical SMILES, without stereochemistry, of a split; made once (half a minute) and kept in the cache folder."""

    def build(path: Path) -> None:
        lines = [canonical_smiles(Chem.MolFromSmiles(smiles)) for smiles in read_smiles()[split]]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    return cached_file(f"{split}.smiles", build).read_text(encoding="utf-8").split()


def encode(smiles: list[str], *, draw_hydrogens: bool = False) -> GraphBatch:
    """Graphs over one of the vocabularies, as int8; with hydrogens drawn, molecules with charged atoms are left out."""
    parsed = []
    for text in smiles:
        molecule = from_smiles(text, draw_hydrogens=draw_hydrogens)
        if molecule is None:
            raise ValueError(f"RDKit cannot read the QM9 molecule {text!r}")
        if not (draw_hydrogens and any(label[-1] in "+-" for label in molecule[0])):
            parsed.append(molecule)
    return encode_graphs(parsed, NODE_TYPES_WITH_HYDROGENS if draw_hydrogens else NODE_TYPES, EDGE_TYPES)


def cached_file(suffix: str, build: Callable[[Path], None], *, extra_sources: Sequence[str] = ()) -> Path:
    """A file of the cache folder that belongs to this code, and to that in `extra_sources`.

    After a change of any of it, of RDKit or of the data, there is none yet.
    """
    modules = (__file__, molecules.__file__, encoding.__file__, *extra_sources)
    code = b"".join(Path(file).read_bytes() for file in modules)
    packages = f"{rdBase.rdkitVersion} {version('qm9pack')}".encode()
    return cached(f"qm9-{hashlib.sha256(code + packages).hexdigest()[:12]}.{suffix}", build)


def _package_folder() -> Path:
    spec = importlib.util.find_spec("qm9pack")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "QM9 comes with the package 'qm9pack'; in the clone: .venv/bin/pip install -c constraints.txt -e '.[train]'"
        )
    return Path(spec.submodule_search_locations[0])
