from pathlib import Path

import pytest
import torch

from models.compute import memory as memory_module
from models.compute.memory import used_and_free_bytes


def test_what_is_free_on_a_cpu_is_what_the_limit_leaves_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory_module, "_CGROUP_LIMIT", limit)

    def found(words: str) -> tuple[int, int]:
        limit.write_text(words)
        return used_and_free_bytes(torch.device("cpu"))

    used, free = found("3000000000\n")
    _, none_left = found("1000000\n")
    unlimited = sum(found("max\n"))

    assert used > 50_000_000  # torch alone takes more
    assert used + free == 3_000_000_000
    assert none_left == 0
    assert unlimited > 3_000_000_000  # of any machine that this is tested on
