"""The user's cache folder: what takes a while to build is built once."""

import os
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from models.card.files import atomic_write


def cache_folder() -> Path:
    """`digress` in XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "digress"


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """A file of the cache folder. If there is none yet, `build` writes it, in one process while others wait for it."""
    path = cache_folder() / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{name}.lock")):
            if not path.is_file():
                with atomic_write(path) as partial:
                    build(partial)
    return path
