"""The API: `create_app` assembles the application, `build` makes its parts from the settings."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

from fastapi import FastAPI
from redis import Redis
from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from app.access.api_keys import ApiKeyStore
from app.access.authenticator import Authenticator
from app.access.webhook_secrets import WebhookSecrets
from app.catalogue.served_models import ServedModels
from app.http.error_handlers import install_handlers
from app.http.hosts import HostCheckMiddleware, HostRule
from app.http.limits import BodyLimitMiddleware
from app.http.middleware import (
    IgnoreDisconnectsMiddleware,
    ObservabilityMiddleware,
    SecurityHeadersMiddleware,
    is_monitoring,
)
from app.http.openapi import complete_document
from app.http.sharing.places import Places
from app.http.telemetry import ApiMetrics
from app.http.tracing import request_spans
from app.jobs.observability.metrics import QueueCollector
from app.jobs.observability.setup import start_tracing
from app.jobs.queue import JobQueue
from app.jobs.state import QueueLimits
from app.jobs.webhooks.sender import WebhookSender
from app.routes import events, generate, graphs, health, jobs, metrics, models
from app.routes import webhooks as webhook_routes
from app.routes.page import add_page
from app.settings import Settings, SettingsError, read_settings
from models.card.folder import read_cards

_DESCRIPTION = (
    "New graphs from discrete denoising diffusion (DiGress, ICLR 2023). "
    "POST /generate queues a job; GET /jobs/{id} returns its graphs; GET /models lists what can be generated."
)


# Nobody holds a connection to Redis for long, so a few are enough; who finds none waits for one.
_MAX_CONNECTIONS = 64
_WAIT_FOR_CONNECTION_SECONDS = 20.0


def create_app(
    queue: JobQueue,
    served_models: ServedModels,
    settings: Settings,
    *,
    authenticator: Authenticator | None = None,
    webhooks: WebhookSender | None = None,
    at_end: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The application for a queue and the models to serve; without an authenticator, everybody has access.

    `at_end` is called in a thread when it stops.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if webhooks:
            webhooks.start()
        yield
        if webhooks:
            await webhooks.stop()
        await queue.close()
        await run_in_threadpool(at_end)

    app = FastAPI(
        docs_url=None,  # `app.routes.page` has one that loads nothing from other hosts
        redoc_url=None,
        redirect_slashes=False,  # one address per resource, and no response that the document does not describe
        title="digress-serve",
        version=version("digress-serve"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        telemetry=request_spans(settings.tracing, exclude=is_monitoring),
    )
    app.state.queue, app.state.served_models, app.state.authenticator = queue, served_models, authenticator
    app.state.webhooks = webhooks
    app.state.metrics = ApiMetrics(QueueCollector(queue.state))
    app.state.places = Places(settings.max_streams, settings.max_owner_streams)
    app.state.is_stopping = lambda: False  # `digress api` replaces it
    queue.hub.is_stopping = lambda: app.state.is_stopping()
    app.add_middleware(IgnoreDisconnectsMiddleware)
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_body_bytes)
    if authenticator is None or settings.allowed_hosts:
        app.add_middleware(HostCheckMiddleware, rule=HostRule(settings.allowed_hosts, settings.is_public))
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(ObservabilityMiddleware, metrics=app.state.metrics)  # the last one added is the outermost
    install_handlers(app)
    for routes in (generate, jobs, events, graphs, models, webhook_routes, health, metrics):
        app.include_router(routes.router)
    webhook_routes.describe_webhooks(app)
    add_page(app)
    complete_document(app)
    return app


def build(settings: Settings | None = None) -> FastAPI:
    """The application for the settings.

    Raises:
        SettingsError: if a setting is invalid, DIGRESS_REDIS_URL is not set, or a package is missing.
        CardError: if a model card cannot be read.
    """
    settings = settings or read_settings()
    url = settings.require_redis_url()
    redis = Redis.from_url(url, socket_timeout=5)
    pool = BlockingConnectionPool.from_url(url, max_connections=_MAX_CONNECTIONS, timeout=_WAIT_FOR_CONNECTION_SECONDS)
    async_redis = AsyncRedis.from_pool(pool)
    _require_protection(settings)
    queue = JobQueue(
        redis,
        async_redis,
        job_timeout_seconds=settings.job_timeout_seconds,
        job_ttl_seconds=settings.job_ttl_seconds,
        limits=QueueLimits(settings.max_queued_jobs, settings.max_owner_jobs, settings.max_owner_seconds),
    )
    admin_key = settings.admin_key.get_secret_value() if settings.admin_key else None
    authenticator = Authenticator(async_redis, admin_key=admin_key) if settings.auth == "keys" else None
    served_models = ServedModels(read_cards(settings.checkpoints), settings.checkpoints, async_redis)
    webhooks = None
    if settings.webhook_secret:
        secrets = WebhookSecrets(settings.webhook_secret.get_secret_value(), async_redis if authenticator else None)
        webhooks = WebhookSender(queue, async_redis, secret_of=secrets.of, allow_private=settings.webhook_private)
    # The application sends the last spans itself, because uvicorn then ends the process by a signal.
    at_end = start_tracing(settings, "digress-api")
    app = create_app(queue, served_models, settings, authenticator=authenticator, webhooks=webhooks, at_end=at_end)
    app.openapi()  # takes long, so no request should have to wait for it
    return app


def _require_protection(settings: Settings) -> None:
    """Refuse settings that would let everybody or nobody use the service by mistake.

    Raises:
        SettingsError: if other machines can reach the API without a key, unless DIGRESS_AUTH is `off`; or if keys are needed
            and there are none.
    """
    if settings.auth is None and settings.is_public:
        raise SettingsError(
            f"DIGRESS_HOST is {settings.host}, which other machines can reach: set DIGRESS_AUTH=keys, so that requests need a key "
            "(DIGRESS_ADMIN_KEY, or one made with `digress keys create NAME`), or DIGRESS_AUTH=off to let everybody in"
        )
    if settings.auth == "keys" and settings.admin_key is None:
        # If Redis does not answer, nobody has access anyway.
        with suppress(RedisError), Redis.from_url(settings.require_redis_url(), socket_timeout=5) as redis:
            if not ApiKeyStore(redis).all():
                raise SettingsError(
                    "DIGRESS_AUTH is keys, and there is no key: make one with `digress keys create NAME`, or set DIGRESS_ADMIN_KEY"
                )
