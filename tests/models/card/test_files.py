from pathlib import Path

import pytest

from models.card.files import atomic_write


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"

    with atomic_write(path) as partial:
        partial.write_text("whole")
        was_there = path.exists()

    assert not was_there
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_fails_half_way_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def fail() -> None:
        with atomic_write(path) as partial:
            partial.write_text("ha")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
