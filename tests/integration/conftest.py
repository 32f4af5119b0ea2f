from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from app.cli import main


@pytest.fixture
def complaint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., str]]:
    """What `digress` says of a mistake, in this process, since starting one for each would take minutes."""

    def run(*arguments: str, status: int = 1, **variables: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["digress", *arguments])
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == status
        assert not list(tmp_path.iterdir()), "something is left behind"
        return capsys.readouterr().err

    before = structlog.get_config()
    yield run
    # The command has bound it to a standard error that is closed now.
    structlog.configure(**before)
