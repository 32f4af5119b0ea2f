"""Workers and servers that die, hang and come back: every job ends once, with the graphs that its seed determines.

Real processes, a real Valkey. What a job's graphs must be is drawn here, without any queue.
"""

import signal

import pytest

from app.jobs.keys import MODEL_CHANGES_KEY, UNLOADED_KEY, record_key
from app.schemas import JobStatus
from tests.faults.conftest import ENDLESS, FEW_STEPS, LONG, SHORT, Service
from tests.servers import wait_until


def test_told_to_stop_a_worker_hands_back_what_it_cannot_end_in_time(service: Service) -> None:
    with service.worker(DIGRESS_DRAIN_SECONDS="0.5") as first:
        long = [service.submit(LONG) for _ in range(2)]
        service.wait_for_start(long[0])
        short = service.submit(SHORT)
        first.send_signal(signal.SIGTERM)
        assert first.wait(20) == 0

    assert [service.status(job_id) for job_id in long] == [JobStatus.QUEUED] * 2
    retries = [service.redis.hget(f"rq:job:{job_id}", "retries_left") for job_id in long]
    assert retries == [b"6"] * 2
    with service.worker():
        service.wait_for_end(*long, short)
        service.wait_until_idle()
    for job_id in long:
        service.assert_drawn_once(job_id, LONG)
    service.assert_drawn_once(short, SHORT)


def test_a_worker_that_hung_past_its_lease_does_not_disturb_the_one_that_took_over(service: Service) -> None:
    with service.worker() as zombie:
        job_id = service.submit(LONG)
        service.wait_for_start(job_id)
        zombie.send_signal(signal.SIGSTOP)
        with service.worker():
            service.wait_for_end(job_id)
            before = service.redis.hgetall(record_key(job_id))
            zombie.send_signal(signal.SIGCONT)
            again = service.submit(SHORT)
            service.wait_for_end(again)
            wait_until(lambda: "job already ended" in service.log(1), seconds=30)
            service.wait_until_idle()
        begun = [line for line in service.log(2).splitlines() if "job begins" in line and job_id in line]
        assert "tries_lost=1" in begun[0]

    service.assert_drawn_once(job_id, LONG)
    assert service.redis.hgetall(record_key(job_id)) == before


def test_a_worker_that_wakes_while_another_has_its_job_lets_go(service: Service) -> None:
    with service.worker() as zombie:
        job_id = service.submit(LONG)
        service.wait_for_start(job_id)
        zombie.send_signal(signal.SIGSTOP)
        with service.worker() as other:
            wait_until(lambda: service.events(job_id).count("status") == 3, seconds=60)
            other.send_signal(signal.SIGSTOP)  # lest it be done by then
            zombie.send_signal(signal.SIGCONT)
            wait_until(lambda: "a lease is lost" in service.log(1), seconds=10)
            assert not service.status(job_id).is_final
            other.send_signal(signal.SIGCONT)
            service.wait_for_end(job_id)
            service.wait_until_idle()

    service.assert_drawn_once(job_id, LONG)


def test_a_lone_worker_that_was_held_up_past_its_lease_goes_on_with_its_job(service: Service) -> None:
    with service.worker() as worker:
        job_id = service.submit(LONG)
        service.wait_for_start(job_id)
        worker.send_signal(signal.SIGSTOP)
        service.wait_until_leases_run_out()
        worker.send_signal(signal.SIGCONT)
        service.wait_for_end(job_id)
        service.wait_until_idle()

    service.assert_drawn_once(job_id, LONG)
    assert service.events(job_id).count("status") == 2  # queued and running, once each


def test_a_job_that_no_worker_ever_begins_is_given_up(service: Service) -> None:
    job_id = service.submit(SHORT)
    service.redis.hset(f"rq:job:{job_id}", "retries_left", 0)
    service.redis.lmove("rq:queue:digress", "rq:queue:digress:intermediate", "LEFT", "RIGHT")
    service.redis.set(f"rq:queue:digress:intermediate:first_seen:{job_id}", 0)

    with service.worker():
        service.wait_for_end(job_id, seconds=30)

    assert service.status(job_id) == JobStatus.FAILED


def test_a_job_past_its_deadline_fails_and_says_so(service: Service) -> None:
    with service.worker():
        job_id = service.submit(ENDLESS, timeout_seconds=1)
        service.wait_for_end(job_id)
        service.wait_until_idle()

    assert service.status(job_id) == JobStatus.FAILED
    assert b"took longer" in service.redis.hget(record_key(job_id), "error")  # type: ignore[operator]


@pytest.mark.slow
def test_three_hundred_jobs_through_two_workers_have_one_result_each(service: Service) -> None:
    jobs = [service.submit(SHORT, num_steps=FEW_STEPS) for _ in range(300)]

    with service.worker(), service.worker():
        service.wait_for_end(*jobs)
        service.wait_until_idle()

    for job_id in jobs:
        service.assert_drawn_once(job_id, SHORT, num_steps=FEW_STEPS)
        assert service.events(job_id).count("status") == 2  # queued and running, once each


def test_a_running_worker_lets_go_of_a_model_that_is_unloaded(service: Service) -> None:
    with service.worker():
        job_id = service.submit(SHORT)
        service.wait_for_end(job_id)
        service.redis.sadd(UNLOADED_KEY, "tiny")
        service.redis.incr(MODEL_CHANGES_KEY)
        wait_until(lambda: "model unloaded" in service.log(1), seconds=30)
        unserved = service.submit(SHORT)
        service.wait_for_end(unserved)

    assert service.status(job_id) == JobStatus.SUCCEEDED
    assert service.status(unserved) == JobStatus.FAILED
