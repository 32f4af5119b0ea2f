"""Progress bars, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from app.commands.console import console
from app.schemas import JobProgress, JobStatus

if TYPE_CHECKING:
    from models.generation import Progress as GenerationProgress


@contextmanager
def progress_bar(
    label: str, total: int, *, then: str | None = None
) -> Iterator[Callable[["GenerationProgress"], None]]:
    """A bar of `total` graphs, and the function that advances it; when all are done, the bar is labelled `then`."""
    with _bar() as bar:
        task = bar.add_task(label, total=total)

        def show(progress: "GenerationProgress") -> None:
            bar.update(task, completed=progress.fraction * total)
            if then and progress.fraction == 1:
                bar.update(task, description=then)

        yield show


@contextmanager
def job_bar() -> Iterator[Callable[[JobStatus, JobProgress], None]]:
    """A bar of a job's graphs, and the function that advances it; while the job waits, it shows the position in the queue."""
    with _bar() as bar:
        task = bar.add_task("", total=None)

        def show(status: JobStatus, progress: JobProgress) -> None:
            completed = progress.fraction * progress.num_graphs
            bar.update(task, description=_describe(status, progress), completed=completed, total=progress.num_graphs)

        yield show


def _bar() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _describe(status: JobStatus, progress: JobProgress) -> str:
    if status is not JobStatus.QUEUED:
        return "sampling"
    position = (
        "" if progress.position is None else ", next" if progress.position == 0 else f", {progress.position} ahead"
    )
    seconds = progress.eta_seconds
    end = (
        ""
        if seconds is None
        else f", done in about {seconds:.0f} s"
        if seconds < 120
        else f", done in about {seconds / 60:.0f} min"
    )
    return f"queued{position}{end}"
