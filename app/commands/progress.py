"""Progress bars, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from app.commands.complaints import console

if TYPE_CHECKING:
    from models.generation import Progress as GenerationProgress


@contextmanager
def progress_bar(what: str, total: int, *, then: str | None = None) -> Iterator[Callable[["GenerationProgress"], None]]:
    """A bar of `total` graphs, and what moves it; once all are done it says what comes `then`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)

        def show(progress: "GenerationProgress") -> None:
            bar.update(task, completed=progress.fraction * total)
            if then and progress.fraction == 1:
                bar.update(task, description=then)

        yield show
