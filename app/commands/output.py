"""Checks on the files that commands write."""

import errno
import os
from pathlib import Path


def require_writable(path: Path) -> None:
    """Make sure that a file can be written, before the work begins; it is not created.

    Raises:
        OSError: if it cannot be written.
    """
    target = path if path.exists() else path.parent
    code = (
        errno.EISDIR
        if path.is_dir()
        else errno.ENOENT
        if not target.exists()
        else errno.EACCES
        if not os.access(target, os.W_OK)
        else None
    )
    if code is not None:
        raise OSError(code, os.strerror(code), str(path))
