from prometheus_client import CollectorRegistry
from redis.exceptions import ConnectionError as RedisConnectionError

from app.jobs.observability.metrics import QueueCollector
from app.jobs.state import QueueState


def test_the_queue_is_read_anew_at_every_scrape_and_not_before_the_first() -> None:
    waiting = iter([3, 4])
    registry = CollectorRegistry()
    registry.register(QueueCollector(lambda: QueueState(next(waiting), 2, 7.5, 60.0, 100, 1)))

    first, second = (registry.get_sample_value("digress_queue_jobs") for _ in range(2))

    assert (first, second) == (3, 4)


def test_every_number_of_the_queue_has_its_own_metric() -> None:
    registry = CollectorRegistry()
    registry.register(QueueCollector(lambda: QueueState(3, 2, 7.5, 60.0, 100, 1)))

    found = {sample.name: sample.value for family in registry.collect() for sample in family.samples}

    assert found == {
        "digress_redis_up": 1,
        "digress_queue_jobs": 3,
        "digress_queue_running_jobs": 2,
        "digress_queue_oldest_job_age_seconds": 7.5,
        "digress_queue_backlog_seconds": 60.0,
        "digress_queue_limit_jobs": 100,
        "digress_workers": 1,
    }


def test_without_redis_that_is_all_that_is_told() -> None:
    def fail() -> QueueState:
        raise RedisConnectionError("gone")

    registry = CollectorRegistry()
    registry.register(QueueCollector(fail))

    found = {sample.name: sample.value for family in registry.collect() for sample in family.samples}

    assert found == {"digress_redis_up": 0}
