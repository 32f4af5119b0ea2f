"""Parts that molecules must or must not contain, as SMARTS.

    [OX2H]       an oxygen with one hydrogen; hydrogens are not atoms here, so count them
    C(=O)[OH]    a carboxylic acid
    a            any aromatic atom

A search can take exponential time: a long chain of wildcards, or several parts without a bond between them. RDKit has no limit of
time, but before it puts an atom of the molecule in the place of an atom of the pattern it asks a function, in recursive patterns,
too. Here that function counts. After `MOST_TRIALS` it lets no atom pass, so that the search ends at once, and on every machine
after the same trials. Then it is not known whether the molecule contains the pattern.
"""

from collections.abc import Iterable

from rdkit import Chem

import models.molecules  # noqa: F401  # turns RDKit's own messages off

# About 25 ms. The longest search for one of 532 patterns, RDKit's functional groups and PAINS, in 100 molecules of ZINC250k takes 569.
MOST_TRIALS = 10_000


class PatternError(ValueError):
    """A pattern that RDKit cannot read; the message says what would be right."""


def read_pattern(smarts: str) -> Chem.Mol:
    """The query of a SMARTS.

    Raises:
        PatternError: if RDKit cannot read it, or it has no atoms.
    """
    query = Chem.MolFromSmarts(smarts)
    if query is None or query.GetNumAtoms() == 0:
        problem = "RDKit cannot read the SMARTS" if query is None else "there are no atoms in the SMARTS"
        raise PatternError(f"{problem} {smarts[:80]!r}; write a pattern like 'C(=O)[OH]' or 'c1ccccc1'")
    return query


class Patterns:
    """Patterns to look for in molecules."""

    def __init__(self, smarts: Iterable[str]) -> None:
        self._queries = [read_pattern(text) for text in smarts]

    def all_in(self, molecule: Chem.Mol) -> bool:
        """Whether a molecule is known to contain every one."""
        search = _Search(molecule)
        return all(search.finds(query) is True for query in self._queries)

    def none_in(self, molecule: Chem.Mol) -> bool:
        """Whether a molecule is known to contain none."""
        search = _Search(molecule)
        return all(search.finds(query) is False for query in self._queries)


class _Search:
    """A search in one molecule, for one pattern after the other: all of them together have `MOST_TRIALS`."""

    def __init__(self, molecule: Chem.Mol) -> None:
        self._molecule, self._trials = molecule, 0
        self._parameters = Chem.SubstructMatchParameters()
        self._parameters.setExtraAtomCheckFunc(self._may_pass)

    def finds(self, query: Chem.Mol) -> bool | None:
        """Whether the pattern is in the molecule; None if that is not known."""
        found = bool(self._molecule.HasSubstructMatch(query, self._parameters))
        return found if self._trials <= MOST_TRIALS else None

    def _may_pass(self, _: Chem.Atom, __: Chem.Atom) -> bool:
        self._trials += 1
        return self._trials <= MOST_TRIALS
