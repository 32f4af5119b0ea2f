import pytest

from app.commands.progress import _describe, job_bar, progress_bar
from app.schemas import JobProgress, JobStatus
from models.generation import Progress


def waiting(position: int | None, eta_seconds: float | None) -> JobProgress:
    return JobProgress(fraction=0, graphs_done=0, num_graphs=5, position=position, eta_seconds=eta_seconds)


@pytest.mark.parametrize(
    ("position", "seconds", "words"),
    [
        (None, None, "queued"),
        (0, None, "queued, next"),
        (3, 119.4, "queued, 3 ahead, done in about 119 s"),
        (3, 150.0, "queued, 3 ahead, done in about 2 min"),
    ],
)
def test_a_job_that_waits_tells_its_place_and_its_end(position: int | None, seconds: float | None, words: str) -> None:
    assert _describe(JobStatus.QUEUED, waiting(position, seconds)) == words


def test_a_job_that_runs_is_sampling() -> None:
    assert _describe(JobStatus.RUNNING, waiting(None, 3.0)) == "sampling"


def test_where_there_is_no_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("drawing", 5, then="saving") as show_graphs, job_bar() as show_job:
        show_graphs(Progress(1.0, 5))
        show_job(JobStatus.QUEUED, waiting(1, None))

    assert capsys.readouterr().err.strip() == ""
