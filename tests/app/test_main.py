import subprocess
import sys

import pytest

from app.main import build


def test_the_api_process_needs_neither_torch_nor_rdkit(redis_url: str) -> None:
    code = (
        "import sys, app.cli; from app.main import build; build();"
        "sys.exit(' '.join({'torch', 'rdkit', 'numpy', 'lightning'} & set(sys.modules)) or None)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], env={"DIGRESS_REDIS_URL": redis_url}, check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


def test_building_without_redis_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIGRESS_REDIS_URL", raising=False)

    with pytest.raises(ValueError, match="DIGRESS_REDIS_URL is not set"):
        build()
