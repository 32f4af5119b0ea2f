"""An API over a real Valkey, with no worker, so that jobs stay queued."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.access.api_keys import ApiKeyStore
from app.access.authenticator import Authenticator
from app.access.webhook_secrets import WebhookSecrets
from app.catalogue.served_models import ServedModels
from app.commands.supervisor import free_port
from app.jobs.queue import JobQueue
from app.jobs.state import QueueLimits
from app.jobs.webhooks.sender import WebhookSender
from app.main import create_app
from app.settings import Settings
from tests.conftest import make_card, make_regressor_card

PROBLEM = "application/problem+json"
ADMIN_KEY = "a-key-for-the-first-admin"


@pytest.fixture(scope="module")
def redis_url(valkey_url: str) -> str:
    """A Redis that holds nothing of other files."""
    with Redis.from_url(valkey_url) as redis:
        redis.flushall()
    return valkey_url


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """The Redis of the API, emptied."""
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
        yield redis


@pytest.fixture
def free_port_url() -> str:
    """Of a Redis that there is not."""
    return f"redis://127.0.0.1:{free_port()}/0"


@pytest.fixture
def client(redis_url: str) -> Iterator[TestClient]:
    with make_client(redis_url) as client:
        yield client


def make_client(
    url: str,
    *,
    max_graphs: int = 10_000,
    max_nodes: int = 9,
    steerable: bool = True,
    limits: QueueLimits | None = None,
    job_ttl_seconds: int = 600,
    admin_key: str | None = None,
    folder: Path = Path("none"),
    webhooks: dict[str, Any] | None = None,
    settings: Settings | None = None,
) -> TestClient:
    card = make_card(max_nodes=max_nodes)
    if steerable:
        card = card.with_regressor(make_regressor_card()).with_regressor(
            make_regressor_card(name="tiny-judge", role="judge")
        )
    card = card.model_copy(update={"sampling": card.sampling.model_copy(update={"max_graphs": max_graphs})})
    async_redis = AsyncRedis.from_url(url)
    authenticator = Authenticator(async_redis, admin_key=admin_key) if admin_key else None
    queue = JobQueue(
        Redis.from_url(url),
        async_redis,
        job_timeout_seconds=60,
        job_ttl_seconds=job_ttl_seconds,
        limits=limits,
    )
    sender = None
    if webhooks:
        secrets = WebhookSecrets(webhooks.pop("secret"), async_redis if admin_key else None)
        sender = WebhookSender(queue, async_redis, secret_of=secrets.of, **webhooks)
    return TestClient(
        create_app(
            queue,
            ServedModels({"tiny": card}, folder, async_redis),
            settings or Settings(),
            authenticator=authenticator,
            webhooks=sender,
        ),
        base_url="http://localhost:8000",
        raise_server_exceptions=False,
    )


@pytest.fixture
def keys(redis: Redis) -> ApiKeyStore:
    return ApiKeyStore(redis)


@pytest.fixture
def guarded(redis_url: str, keys: ApiKeyStore) -> Iterator[TestClient]:
    with make_client(redis_url, admin_key=ADMIN_KEY) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def ask(client: TestClient, token: str, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return client.post("/generate", json={"model": "tiny", **fields}, headers=bearer(token) | (headers or {}))
