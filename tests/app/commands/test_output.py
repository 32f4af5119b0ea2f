from pathlib import Path

import pytest

from app.commands.output import require_writable


def test_a_file_that_can_be_written_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("before")

    require_writable(tmp_path / "there")
    require_writable(tmp_path / "new")

    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_text() == "before"


def test_a_folder_or_a_file_in_no_folder_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        require_writable(tmp_path)
    with pytest.raises(FileNotFoundError, match="none/new"):
        require_writable(tmp_path / "none" / "new")


def test_what_may_not_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write everywhere

    with pytest.raises(PermissionError, match="new"):
        require_writable(tmp_path / "new")
