"""Files that commands write."""

import errno
import os
from pathlib import Path


def require_writable(path: Path) -> None:
    """What cannot be written should be known before the work; nothing is left behind by asking.

    Raises:
        OSError: if it cannot.
    """
    place = path if path.exists() else path.parent
    code = (
        errno.EISDIR
        if path.is_dir()
        else errno.ENOENT
        if not place.exists()
        else errno.EACCES
        if not os.access(place, os.W_OK)
        else None
    )
    if code is not None:
        raise OSError(code, os.strerror(code), str(path))
