"""How hard a molecule is to make: 1 (easy) to 10, by how common its fragments are and how complex it is as a whole.

The function and its table of fragments are part of RDKit, in its folder Contrib/SA_Score, which the package of RDKit contains but
Python does not find by itself. The table is a pickle. Here it is read by an unpickler that knows no classes and no functions, so it
can hold numbers and lists alone; and it is kept in two sorted arrays, 11 MB, where a dictionary takes ten times as much.

Reference: Ertl & Schuffenhauer 2009, Estimation of synthetic accessibility score of drug-like molecules,
doi:10.1186/1758-2946-1-8
"""

import gzip
import importlib.util
import pickle
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from rdkit import Chem, RDConfig


def synthetic_accessibility(molecule: Chem.Mol) -> float:
    """The score of a sanitised molecule.

    Raises:
        OSError: if this RDKit came without its folder Contrib.
    """
    return float(_scorer().calculateScore(molecule))


class FragmentScores:
    """Fragment -> its score, for the few that a molecule has among the 700,000 that are known."""

    def __init__(self, scores: Iterable[tuple[int, float]]) -> None:
        ordered = sorted(scores)
        self._fragments = array("Q", (fragment for fragment, _ in ordered))
        self._scores = array("d", (score for _, score in ordered))

    def __len__(self) -> int:
        return len(self._fragments)

    def get(self, fragment: int, default: float | int) -> float | int:
        """The score of a fragment, or the default if it is not known."""
        place = bisect_left(self._fragments, fragment)
        is_known = place < len(self) and self._fragments[place] == fragment
        return self._scores[place] if is_known else default


class _Numbers(pickle.Unpickler):
    """Reads numbers and lists, and nothing that could run."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"a table of numbers must not contain {module_name}.{global_name}")


def read_scores(path: Path) -> FragmentScores:
    """The table in a file of rows [score, fragment, fragment, …].

    Raises:
        OSError: if there is no such file.
        UnpicklingError: if it holds more than numbers.
    """
    with gzip.open(path) as file:
        rows = _Numbers(file).load()
    return FragmentScores((fragment, float(score)) for score, *fragments in rows for fragment in fragments)


@lru_cache(maxsize=1)
def _scorer() -> Any:
    """RDKit's module, with its table."""
    folder = Path(RDConfig.RDContribDir) / "SA_Score"
    spec = importlib.util.spec_from_file_location("sascorer", folder / "sascorer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module)["_fscores"] = read_scores(folder / "fpscores.pkl.gz")
    return module
