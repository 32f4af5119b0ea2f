import pytest
from redis import Redis

from app.jobs.keys import events_key, graphs_key, record_key
from app.schemas import JobSummary, Problem
from models.generation import Progress
from tests.worker.conftest import find, submit
from worker.records import JobOver, JobRecord


def test_graphs_that_are_brought_twice_are_there_once(redis: Redis) -> None:
    record = JobRecord(redis, "a", ttl_seconds=60)

    for start, lines in ((0, ["1", "2"]), (0, ["1", "2"]), (2, ["3"]), (2, ["3"])):
        record._append("list", lines, length=start)

    assert redis.lrange("list", 0, -1) == [b"1", b"2", b"3"]


def test_a_job_that_has_ended_never_changes(url: str, redis: Redis) -> None:
    job_id = submit(url)
    record = JobRecord(redis, job_id, ttl_seconds=60)
    zombie = JobRecord(redis, job_id, ttl_seconds=60)
    record.start()
    record.fail(Problem(title="Gone", status=500, detail="first"))
    before = find(url, job_id)

    for late in (
        zombie.start,
        lambda: zombie.progress(Progress(0.5, 2)),
        lambda: zombie.succeed([], JobSummary(num_graphs=0, seconds=1)),
    ):
        with pytest.raises(JobOver):
            late()

    assert find(url, job_id) == before
    assert redis.get(graphs_key(job_id)) is None


def test_a_job_that_has_expired_is_not_brought_back(url: str, redis: Redis) -> None:
    job_id = submit(url)
    record = JobRecord(redis, job_id, ttl_seconds=60)
    record.start()
    redis.delete(record_key(job_id), events_key(job_id))

    with pytest.raises(JobOver):
        record.succeed([], JobSummary(num_graphs=0, seconds=1))

    assert redis.keys("digress:job:*") == []
