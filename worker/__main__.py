"""`python -m worker`: settings -> engine -> RQ worker."""

import sys
from dataclasses import asdict

import structlog
import torch
from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.jobs.observability.setup import configure_logging, start_tracing
from app.settings import SettingsError, read_settings
from models.card.folder import CardError
from models.compute.threads import prepare_thread
from worker.engine.engine import Engine
from worker.jobs import GenerationJob
from worker.rq_worker import GenerationWorker
from worker.store import ModelStore, choose_device

_log = structlog.get_logger(__name__)


def main() -> int:
    """Run a worker until it is told to stop; returns the exit status.

    Raises:
        SettingsError: if a setting is not valid, DIGRESS_REDIS_URL is not set, or something is not installed.
        CardError: if a model card cannot be read.
    """
    settings = read_settings()
    configure_logging(settings)
    url = settings.require_redis_url()
    end_tracing = start_tracing(settings, "digress-worker")
    prepare_thread()
    device = choose_device(settings.device)
    store = ModelStore(settings.checkpoints, device, compile_networks=settings.compile and device.type == "cuda")
    redis = connect(url, max_jobs=settings.max_jobs)
    _warn_if_silent(url)
    try:
        with Engine(store) as engine:
            if settings.worker_metrics_port:
                _serve_metrics(engine, settings.worker_metrics_port, settings.host)
            _warm_up(engine)
            function = GenerationJob(engine, redis, ttl_seconds=settings.job_ttl_seconds)
            worker = GenerationWorker(
                function,
                redis,
                lease_seconds=settings.lease_seconds,
                max_jobs=settings.max_jobs,
                drain_seconds=settings.drain_seconds,
            )
            was_told_to_stop = worker.run()
    except RedisError as error:
        _log.error("redis does not answer; giving up", error=str(error))
        return 1
    finally:
        end_tracing()
    return 0 if was_told_to_stop else 1


def connect(url: str, *, max_jobs: int) -> Redis:
    """A client that retries for a minute or two, with enough connections for every job's thread and for RQ."""
    retry = Retry(ExponentialWithJitterBackoff(cap=2, base=0.1), 60)
    return Redis.from_url(url, retry=retry, health_check_interval=30, max_connections=2 * max_jobs + 16)


def _warn_if_silent(url: str) -> None:
    """Say so if Redis does not answer: the worker waits for it for a minute or two."""
    try:
        with Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as redis:
            redis.ping()
    except RedisError as error:
        # The error names the address; the URL may hold a password.
        _log.warning("redis does not answer; trying again for a while", error=str(error))


def _serve_metrics(engine: Engine, port: int, host: str) -> None:
    try:
        engine.metrics.serve(port, host)
    except OSError as error:
        raise SettingsError(
            f"DIGRESS_WORKER_METRICS_PORT: cannot listen on {host}:{port} ({error.strerror})"
        ) from error


def _warm_up(engine: Engine) -> None:
    """Load and measure every model before the first job needs it; a broken one fails its own jobs only."""
    for name in engine.store.names:
        try:
            _log.info("model is ready", model=name, **asdict(engine.prepare(name)))
        except (CardError, torch.OutOfMemoryError) as error:
            _log.error("model cannot be used", model=name, error=str(error))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (SettingsError, CardError) as error:
        sys.exit(f"digress: {error}")
