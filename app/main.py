"""The API: `create_app` puts the parts together, `build` finds them from the settings."""

import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version

from fastapi import FastAPI
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.body_limit import BodyLimit
from app.errors import install_handlers
from app.queue import JobQueue
from app.routes import events, generate, graphs, health, jobs, models
from app.schemas import FieldProblem, Problem
from app.settings import Settings, read_settings
from models.card import ModelCard, read_cards

_DESCRIPTION = (
    "New graphs from discrete denoising diffusion (DiGress, ICLR 2023). "
    "POST /generate queues a job; GET /jobs/{id} gives its graphs; GET /models says what can be generated."
)


# Every client that waits for its job holds one.
_MAX_CONNECTIONS = 5_000


def create_app(queue: JobQueue, cards: dict[str, ModelCard], settings: Settings) -> FastAPI:
    """The application over a queue and the cards of the models to serve."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await queue.close()

    app = FastAPI(title="digress-serve", version=version("digress-serve"), description=_DESCRIPTION, lifespan=lifespan)
    app.state.queue, app.state.cards = queue, cards
    app.state.is_stopping = lambda: False  # whoever runs the server may know better
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    install_handlers(app)
    for routes in (generate, jobs, events, graphs, models, health):
        app.include_router(routes.router)
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Name the Problem schema in OpenAPI, which the routes' error answers refer to."""
    document = app.openapi()
    document["components"]["schemas"] |= {
        model.__name__: model.model_json_schema(ref_template="#/components/schemas/{model}")
        for model in (FieldProblem, Problem)
    }
    document["components"]["schemas"]["Problem"].pop("$defs", None)


def build(settings: Settings | None = None) -> FastAPI:
    """The application that the environment describes.

    Raises:
        SettingsError: if a setting does not fit, or DIGRESS_REDIS_URL is not set.
        CardError: if a model card cannot be read.
    """
    settings = settings or read_settings()
    url = settings.require_redis_url()
    queue = JobQueue(
        Redis.from_url(url, socket_timeout=5),
        AsyncRedis.from_url(url, max_connections=_MAX_CONNECTIONS),
        job_timeout_seconds=settings.job_timeout_seconds,
        job_ttl_seconds=settings.job_ttl_seconds,
        max_queued_jobs=settings.max_queued_jobs,
    )
    return create_app(queue, read_cards(settings.checkpoints), settings)
