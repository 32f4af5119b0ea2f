"""The service that is fuzzed: Valkey, API and worker, with keys, and tiny networks under names that the document's examples use."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from redis import Redis

from app.access.api_keys import ApiKeyStore, Role
from models.card.card import ModelCard
from models.card.config import DiffusionConfig, SamplingConfig
from models.checkpoint import save_checkpoint, save_regressor
from tests.conftest import make_card, make_denoiser, make_regressor, make_regressor_card
from tests.servers import stack, valkey

# Who asks, in the order in which schemathesis tries them where one is refused.
_USERS = {"one": Role.USER, "other": Role.USER, "admin": Role.ADMIN}
_PROPERTIES = (("mu", 2.7, "D", 0.0, 6.5), ("homo", -6.5, "eV", -8.3, -5.2))


@contextmanager
def service(folder: Path) -> Iterator[tuple[httpx2.Client, dict[str, str]]]:
    """An administrator's client of a service in an empty folder, and what `hooks.py` and `schemathesis.toml` need to know of it."""
    checkpoints, users = folder / "checkpoints", folder / "users.json"
    _make_molecules(checkpoints / "qm9")
    _make_graphs(checkpoints / "planar")
    with valkey(folder) as redis_url:
        tokens = _make_keys(redis_url)
        users.write_text(json.dumps({"auth": [_user(name, token) for name, token in tokens.items()]}))
        environment = {
            "DIGRESS_REDIS_URL": redis_url,
            "DIGRESS_CHECKPOINTS": str(checkpoints),
            "DIGRESS_AUTH": "keys",
            "DIGRESS_LOG_FORMAT": "json",
            # A job of ten thousand graphs shall not keep the worker from the others for long.
            "DIGRESS_JOB_TIMEOUT_SECONDS": "2",
        }
        with stack(folder, environment) as (client, _):
            jobs = [_ended_job(client, tokens["one"], model) for model in ("qm9", "planar")]
            client.headers["Authorization"] = f"Bearer {tokens['admin']}"
            yield (
                client,
                {"FUZZ_USERS": str(users), "FUZZ_CHECKPOINTS": str(checkpoints), "FUZZ_JOBS": ",".join(jobs)},
            )


def _make_molecules(folder: Path) -> None:
    """A tiny network in place of qm9, steered to two of its properties."""
    card = _quick(make_card(), name="qm9")
    described = make_regressor_card(
        properties=[
            {
                "name": name,
                "mean": mean,
                "std": 1,
                "unit": unit,
                "description": "",
                "min": low,
                "max": high,
                "spread": 1,
            }
            for name, mean, unit, low, high in _PROPERTIES
        ]
    )
    card = save_checkpoint(card, make_denoiser(card), folder)
    save_regressor(card, described, make_regressor(card, described), folder)


def _make_graphs(folder: Path) -> None:
    """A tiny network whose graphs are no molecules, and that cannot be steered."""
    features = make_card().features.model_copy(update={"molecular": False})
    card = _quick(make_card(), name="planar", domain="graph", features=features)
    save_checkpoint(card, make_denoiser(card), folder)


def _quick(card: ModelCard, **changes: Any) -> ModelCard:
    few = {"diffusion": DiffusionConfig(num_timesteps=10), "sampling": SamplingConfig(num_steps=5)}
    return card.model_copy(update=few | changes)


def _make_keys(redis_url: str) -> dict[str, str]:
    with Redis.from_url(redis_url) as redis:
        book = ApiKeyStore(redis)
        return {name: book.create(name, role=role)[1] for name, role in _USERS.items()}


def _user(name: str, token: str) -> dict[str, Any]:
    """As Web Fuzzing Commons has it."""
    return {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]}


def _ended_job(client: httpx2.Client, token: str, model: str) -> str:
    """The id of a job with graphs and frames."""
    body = {"model": model, "num_graphs": 4, "seed": 7, "keep_frames": 3}
    headers = {"Authorization": f"Bearer {token}", "Prefer": "wait=60"}
    answer = client.post("/generate", json=body, headers=headers)
    assert answer.json()["status"] == "succeeded", answer.text
    return str(answer.json()["id"])
