from pathlib import Path

import pytest

from models.data.cache import cache_folder, cached


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "digress"


def test_the_cache_is_where_the_user_wants_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == folder

    monkeypatch.setenv("XDG_CACHE_HOME", "")

    assert cache_folder() == Path.home() / ".cache" / "digress"


def test_a_file_is_built_once(folder: Path) -> None:
    built = []

    def build(path: Path) -> None:
        built.append(path)
        path.write_text("content")

    paths = [cached("file", build) for _ in range(2)]

    assert paths == [folder / "file"] * 2
    assert paths[0].read_text() == "content"
    assert len(built) == 1


def test_a_build_that_fails_is_tried_again(folder: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cached("file", fail)

    assert not (folder / "file").exists()
    assert cached("file", lambda path: path.touch()).exists()
