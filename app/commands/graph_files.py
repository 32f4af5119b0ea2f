"""Files of graphs, in the form that their ending says."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import typer

from app.commands.console import CommandError, ExitStatus, warn
from app.commands.output import require_writable
from app.pictures.formats import Format
from models.card.config import Domain
from models.card.files import written_whole

# JSON is a graph a line by every ending, as `digress train --data` reads it.
_FORMS = {
    ".jsonl": Format.NDJSON,
    ".ndjson": Format.NDJSON,
    ".json": Format.NDJSON,
    ".smi": Format.SMILES,
    ".sdf": Format.SDF,
}


def form_of(out: Path | None) -> Format:
    """The form that graphs have in a file, by its ending; JSON lines on standard output.

    Raises:
        CommandError: if no form has this ending.
        OSError: if it cannot be written.
    """
    if out is None:
        return Format.NDJSON
    require_writable(out)
    require_writable(out.resolve().with_suffix(".partial"))  # all of it is written beside it first
    if out.suffix.lower() not in _FORMS:
        raise CommandError(f"--out ends in {', '.join(_FORMS)}, not {out.name!r}")
    return _FORMS[out.suffix.lower()]


def require_form(form: Format, model: str, domain: Domain) -> None:
    """Make sure that a model's graphs have a form, before they are drawn.

    Raises:
        CommandError: if they have not.
    """
    if form is not Format.NDJSON and domain != "molecule":
        raise CommandError(
            f"graphs of {model} are no molecules, so they have neither SMILES nor SD files; write .jsonl"
        )


@contextmanager
def graphs_file(out: Path | None) -> Iterator[BinaryIO]:
    """A file for graphs, which come to their place, or to standard output, once all of them are in it."""
    if out is None:
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.flush()
    else:
        with written_whole(out.resolve()) as partial, partial.open("wb") as file:
            yield file


def conclude(form: Format, *, num_invalid: int, num_short: int) -> None:
    """Say what is missing among the graphs that were written.

    Raises:
        typer.Exit: if they are fewer than were asked for.
    """
    if form is Format.SMILES and num_invalid:
        warn(f"{num_invalid} of the graphs left out: no valid molecules, so they have no SMILES")
    if num_short:
        warn(f"{num_short} graphs short: no draw of them passed the filter")
        raise typer.Exit(ExitStatus.SHORT)
