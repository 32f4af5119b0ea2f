"""Jobs that are canceled while they wait, run, or are handed back."""

import signal

from app.jobs.keys import record_key
from app.schemas import JobStatus
from tests.faults.conftest import ENDLESS, FEW_STEPS, SHORT, Service, drawn_alone
from tests.servers import wait_until


def test_a_job_canceled_while_it_is_queued_never_starts(service: Service) -> None:
    unwanted, wanted = service.submit(SHORT), service.submit(SHORT)

    service.queue().cancel(unwanted)
    with service.worker():
        service.wait_for_end(wanted)
        service.wait_until_idle()

    service.assert_drawn_once(wanted, SHORT)
    assert service.status(unwanted) == JobStatus.CANCELED
    assert service.events(unwanted) == ["status", "canceled"]


def test_a_job_canceled_while_it_is_queued_leaves_nothing_behind(service: Service) -> None:
    job_id = service.submit(SHORT)

    service.queue().cancel(job_id)

    assert service.redis.keys("rq:job:*") == []
    assert 0 < service.redis.ttl(record_key(job_id)) <= 600


def test_a_job_canceled_as_it_is_handed_back_is_canceled(service: Service) -> None:
    with service.worker(DIGRESS_DRAIN_SECONDS="0") as worker:
        job_id = service.submit(ENDLESS)
        service.wait_for_start(job_id)
        service.redis.hset(record_key(job_id), "cancel_requested", "1")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0

    assert service.status(job_id) == JobStatus.CANCELED
    service.wait_until_idle()


def test_a_job_canceled_while_it_runs_ends_at_once_and_keeps_what_it_had(service: Service) -> None:
    with service.worker():
        unwanted = service.submit(ENDLESS, num_steps=FEW_STEPS)
        wait_until(lambda: b"graphs_done" in service.redis.hgetall(record_key(unwanted)), seconds=60)
        wait_until(lambda: int(service.redis.hget(record_key(unwanted), "graphs_done")) > 0, seconds=60)  # type: ignore[arg-type]

        service.queue().cancel(unwanted)
        service.wait_for_end(unwanted, seconds=10)

        wanted = service.submit(SHORT)
        service.wait_for_end(wanted)
        service.wait_until_idle()
    kept = service.graphs(unwanted)
    assert service.status(unwanted) == JobStatus.CANCELED
    assert 0 < len(kept) < ENDLESS
    by_seed = {graph["graph"]["seed"]: graph for graph in kept}
    again = [graph for graph in drawn_alone(FEW_STEPS) if graph["graph"]["seed"] in by_seed]
    assert again
    assert again == [by_seed[graph["graph"]["seed"]] for graph in again]
    service.assert_drawn_once(wanted, SHORT)
