"""The backup that docker/README.md describes: the folder of a Redis that goes on, put into a new one."""

import shutil
from pathlib import Path
from typing import Any

import httpx2
import redis

from app.commands.supervisor import free_port
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser
from tests.forked import WORKER, forked, run
from tests.servers import DIGRESS, valkey, wait_until


def test_jobs_and_keys_are_in_a_copy_of_the_folder(tmp_path: Path) -> None:
    save_checkpoint(make_card(), make_denoiser(make_card()), tmp_path / "checkpoints" / "tiny")
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    keeping = ["--appendonly", "yes"]
    with valkey(first, options=keeping) as url:
        environment = settings(url, tmp_path)
        key = run([DIGRESS, "keys", "create", "chemistry"], environment).stdout.strip()
        with forked([DIGRESS, "api"], environment, tmp_path / "api"), forked(WORKER, environment, tmp_path / "worker"):
            job = ask(environment, key, "POST", "/generate", json={"model": "tiny"}, headers={"Prefer": "wait=30"})
            with redis.Redis.from_url(url) as client:
                client.config_set("auto-aof-rewrite-percentage", 0)
                shutil.copytree(first / "appendonlydir", second / "appendonlydir")
                client.config_set("auto-aof-rewrite-percentage", 100)

    with valkey(second, options=keeping) as url:
        environment = settings(url, tmp_path)
        with forked([DIGRESS, "api"], environment, tmp_path / "api-again"):
            again = ask(environment, key, "GET", f"/jobs/{job['id']}")

    assert job["status"] == "succeeded"
    assert again == job


def settings(url: str, folder: Path) -> dict[str, str]:
    return {
        "DIGRESS_REDIS_URL": url,
        "DIGRESS_CHECKPOINTS": str(folder / "checkpoints"),
        "DIGRESS_PORT": str(free_port()),
        "DIGRESS_AUTH": "keys",
    }


def ask(environment: dict[str, str], key: str, method: str, path: str, **more: Any) -> Any:
    """The answer of an API that may have to start first."""
    base, headers = f"http://127.0.0.1:{environment['DIGRESS_PORT']}", {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=base, headers=headers, timeout=60) as client:

        def is_up() -> bool:
            try:
                return client.get("/health/live").is_success
            except httpx2.TransportError:
                return False

        wait_until(is_up, seconds=30)
        return client.request(method, path, **more).raise_for_status().json()
