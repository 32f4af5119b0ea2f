"""Files of SMILES: one a line, or a column of a table whose numeric columns are properties."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rdkit import Chem

from models.data.files.parsed import (
    DataFileError,
    ParsedGraph,
    no_name_problem,
    number,
    numbered_lines,
    open_text,
    properties_of,
    property_name,
    read_entries,
    require_learnable,
)
from models.molecules import from_smiles, num_hydrogens, to_molecule

_NOT_HEAVY = {"H", "H+", "H-", "*"}


def read_smiles(path: Path) -> Iterator[ParsedGraph]:
    """The molecules of a file with a SMILES a line, and whatever else after a space or tab.

    Raises:
        DataFileError: if a line cannot be understood.
    """
    yield from read_entries(path, numbered_lines(path), lambda line, text: _molecule(line, text.split()[0]))


def _molecule(line: int, smiles: str) -> ParsedGraph:
    parsed = from_smiles(smiles)
    if parsed is None or not parsed[0]:
        raise ValueError(f"RDKit cannot read the SMILES {smiles!r}")
    if odd := [label for label in parsed[0] if label in _NOT_HEAVY]:
        raise ValueError(
            f"{smiles!r} has {odd[0]} as an atom of its own; leave out hydrogens that the others imply, isotopes of hydrogen and wildcards"
        )
    # Outside of brackets the hydrogens of a SMILES are the implied ones.
    if "[" in smiles and num_hydrogens(to_molecule(*parsed)) != num_hydrogens(Chem.MolFromSmiles(smiles)):
        raise ValueError(
            f"{smiles!r} has an atom with more or fewer hydrogens than its bonds and charge imply, as radicals have, and a graph does not tell; leave it out"
        )
    return require_learnable(ParsedGraph(line, *parsed))


def read_table(path: Path, delimiter: str) -> Iterator[ParsedGraph]:
    """The molecules of a table with a header and a column `smiles`.

    Raises:
        DataFileError: if a row cannot be understood.
    """
    with open_text(path) as file:
        # Strict, for otherwise a quote that is not closed would take the rest of the file for one field.
        reader, rows, begin = csv.reader(file, delimiter=delimiter, strict=True), [], 1
        try:
            for row in reader:
                rows.append((begin, row))
                begin = reader.line_num + 1
        except csv.Error as error:
            raise DataFileError(
                f"{path.name}, line {begin}: {error}; is a quote not closed, or not doubled inside of quotes?"
            ) from error
    titles = rows[0][1] if rows else []
    header = [property_name(title) for title in titles]
    if "smiles" not in header:
        raise DataFileError(
            f"{path.name}, line 1: no column is called smiles, but {', '.join(map(repr, titles)) or 'none':.100}; a header names the "
            f"columns, with {'tabs' if delimiter == chr(9) else 'commas'} between them"
        )
    if repeated := [name for name, count in Counter(header).items() if name and count > 1]:
        same = [repr(title) for title, name in zip(titles, header, strict=True) if name == repeated[0]]
        raise DataFileError(f"{path.name}, line 1: more than one column is called {repeated[0]}: {' and '.join(same)}")
    entries = [(line, row) for line, row in rows[1:] if row]
    place = header.index("smiles")
    numeric = [
        column
        for column in range(len(header))
        if titles[column].strip()
        and column != place
        and any(number(row[column]) is not None for _, row in entries if column < len(row))
    ]
    if missing := [titles[column] for column in numeric if not header[column]]:
        raise DataFileError(f"{path.name}, line 1: {no_name_problem(missing[0])}")

    def read(line: int, row: list[str]) -> ParsedGraph:
        if len(row) != len(header):
            raise ValueError(f"{len(row)} columns where the header has {len(header)}")
        for column in numeric:
            if number(row[column]) is None:
                raise ValueError(
                    f"column {header[column]} is {row[column]!r}, and elsewhere a number; fill it in, or leave the row or the column out"
                )
        properties = properties_of((line, titles[column], row[column]) for column in numeric)
        molecule = _molecule(line, row[place].strip())
        return ParsedGraph(line, molecule.types, molecule.edges, properties)

    yield from read_entries(path, entries, read)
