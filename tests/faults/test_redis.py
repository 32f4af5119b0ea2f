"""Redis that is restarted, stopped and cut off: every job ends once, with the graphs that its seed determines."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.faults.conftest import LEASE_SECONDS, LONG, PERSISTENT, SHORT, SOON, Service
from tests.servers import valkey, wait_until


def test_redis_restarted_in_the_middle_of_a_job(tmp_path: Path, checkpoints: Path) -> None:
    with valkey(tmp_path, options=PERSISTENT) as url:
        service = Service(url, checkpoints)
        worker = service.worker()
        worker.__enter__()
        running_job = service.submit(LONG)
        service.wait_for_start(running_job)
        queued = [service.submit(SHORT) for _ in range(3)]
    try:
        time.sleep(1)
        with valkey(tmp_path, options=PERSISTENT):
            service.wait_for_end(running_job, *queued)
            service.assert_drawn_once(running_job, LONG)
            for job_id in queued:
                service.assert_drawn_once(job_id, SHORT)
            service.wait_until_idle()
    finally:
        worker.__exit__(None, None, None)


@pytest.mark.parametrize(
    "seconds", [pytest.param(LEASE_SECONDS + 1, marks=pytest.mark.slow), pytest.param(20, marks=pytest.mark.slow)]
)
def test_redis_out_of_reach_for_a_while(service: Service, seconds: int) -> None:
    with service.worker():
        jobs = {service.submit(size): size for size in [LONG, *[SHORT] * 20]}
        service.wait_for_start(next(iter(jobs)))
        stop_redis_for(service, seconds)
        service.wait_for_end(*jobs)
        for job_id, size in jobs.items():
            service.assert_drawn_once(job_id, size)
            assert service.events(job_id).count("status") == 2
        service.wait_until_idle()


@pytest.mark.slow
def test_after_redis_was_away_no_worker_takes_the_others_for_dead(service: Service) -> None:
    with service.worker(DIGRESS_MAX_JOBS="1"), service.worker(DIGRESS_MAX_JOBS="1") as late:
        jobs = [service.submit(LONG) for _ in range(2)]
        for job_id in jobs:
            service.wait_for_start(job_id)

        late.send_signal(signal.SIGSTOP)
        stop_redis_for(service, LEASE_SECONDS + 1)
        time.sleep(SOON)  # the other looks first
        late.send_signal(signal.SIGCONT)

        service.wait_for_end(*jobs)
        service.wait_until_idle()
    for job_id in jobs:
        service.assert_drawn_once(job_id, LONG)
        assert service.events(job_id).count("status") == 2  # queued and running, once each


@pytest.mark.slow
def test_a_worker_that_has_only_just_come_takes_nobody_for_dead(service: Service) -> None:
    with service.worker() as late:
        job_id = service.submit(LONG)
        service.wait_for_start(job_id)
        late.send_signal(signal.SIGSTOP)
        service.wait_until_leases_run_out()
        with service.worker():
            wait_until(lambda: service.redis.zcard("digress:workers") == 2, seconds=60)
            time.sleep(SOON)  # it looks
            late.send_signal(signal.SIGCONT)
            service.wait_for_end(job_id)
            service.wait_until_idle()

    service.assert_drawn_once(job_id, LONG)
    assert service.events(job_id).count("status") == 2  # queued and running, once each


def stop_redis_for(service: Service, seconds: float) -> None:
    pid = int(service.redis.info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)
