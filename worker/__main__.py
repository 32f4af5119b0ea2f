"""`python -m worker`: settings -> engine -> RQ worker."""

import torch
from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from app.settings import Settings
from worker.engine import Engine, choose_device
from worker.jobs import GenerationJob
from worker.rq_worker import GenerationWorker


def main() -> None:
    """Run a worker until it is told to stop."""
    settings = Settings()
    if settings.redis_url is None:
        raise SystemExit("DIGRESS_REDIS_URL is not set; set it, or let `digress serve` start a server")
    torch.set_flush_denormal(True)
    engine = Engine(settings.checkpoints, choose_device(settings.device))
    for name in engine.names:
        engine.model(name)
    patient = Retry(ExponentialWithJitterBackoff(cap=2, base=0.1), 60)
    redis = Redis.from_url(str(settings.redis_url), retry=patient, health_check_interval=30)
    function = GenerationJob(engine, redis, ttl_seconds=settings.job_ttl_seconds)
    GenerationWorker(function, redis, lease_seconds=settings.lease_seconds).run()


if __name__ == "__main__":
    main()
