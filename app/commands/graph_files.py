"""Files of graphs; the ending of a file name selects its format."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import typer

from app.commands.console import CommandError, ExitStatus, print_warning
from app.commands.output import require_writable
from app.pictures.formats import Format
from models.card.config import Domain
from models.card.files import atomic_write

# All JSON endings mean one graph per line, as `digress train --data` reads it.
_FORMATS = {
    ".jsonl": Format.NDJSON,
    ".ndjson": Format.NDJSON,
    ".json": Format.NDJSON,
    ".smi": Format.SMILES,
    ".csv": Format.CSV,
    ".sdf": Format.SDF,
}


def format_of(out: Path | None) -> Format:
    """The format that the ending of a file selects; JSON lines on standard output.

    Raises:
        CommandError: if no format has this ending.
        OSError: if the file cannot be written.
    """
    if out is None:
        return Format.NDJSON
    require_writable(out)
    require_writable(out.resolve().with_suffix(".partial"))  # the graphs are first written to this file
    if out.suffix.lower() not in _FORMATS:
        raise CommandError(f"--out ends in {', '.join(_FORMATS)}, not {out.name!r}")
    return _FORMATS[out.suffix.lower()]


def require_format(form: Format, model: str, domain: Domain) -> None:
    """Make sure that a model's graphs can be written in a format, before they are drawn.

    Raises:
        CommandError: if they cannot.
    """
    if form is not Format.NDJSON and domain != "molecule":
        raise CommandError(
            f"graphs of {model} are not molecules, so they have neither SMILES nor tables nor SD files; write .jsonl"
        )


@contextmanager
def open_graph_file(out: Path | None) -> Iterator[BinaryIO]:
    """A file for graphs; it appears in its place, or on standard output, once it is complete."""
    if out is None:
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.flush()
    else:
        with atomic_write(out.resolve()) as partial, partial.open("wb") as file:
            yield file


def report_missing_graphs(form: Format, *, num_invalid: int, note: str | None) -> None:
    """Warn about graphs that are missing in the file; `note` is what the summary of the job says about them.

    Raises:
        typer.Exit: if there are fewer than requested.
    """
    if form in {Format.SMILES, Format.CSV} and num_invalid:
        print_warning(f"{num_invalid} of the graphs left out: they are not valid molecules, so they have no SMILES")
    if note:
        print_warning(note)
        raise typer.Exit(ExitStatus.TOO_FEW_GRAPHS)
