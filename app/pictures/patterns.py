"""SMARTS and SMILES of a filter, read before the request is queued: RDKit knows whether they mean something."""

from collections.abc import Sequence

from app.http.errors import InvalidRequest, shorten


def pattern_sizes(field: str, patterns: Sequence[str]) -> list[int]:
    """How many atoms each SMARTS of a field has.

    Raises:
        InvalidRequest: if RDKit cannot read one.
    """
    if not patterns:
        return []
    from models.rules.patterns import (
        PatternError,
        read_pattern,
    )  # with RDKit, which the API imports only when it is asked for

    try:
        return [read_pattern(smarts).GetNumAtoms() for smarts in patterns]
    except PatternError as error:
        raise InvalidRequest(field, str(error)) from None


def require_molecule(field: str, smiles: str) -> None:
    """Make sure that a SMILES of a field is one of a molecule.

    Raises:
        InvalidRequest: if RDKit cannot read it.
    """
    from rdkit import Chem

    import models.molecules  # noqa: F401  # turns RDKit's own messages off

    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or molecule.GetNumAtoms() == 0:
        raise InvalidRequest(
            field, f"RDKit cannot read the SMILES {shorten(smiles)!r}; write a molecule like 'CC(O)C=O'"
        )
