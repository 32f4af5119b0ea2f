import json

import pytest

from app.jobs.records import StoredJob, created_at, decode_fields, new_job_id, to_job
from app.schemas import CompletedRequest, JobStatus

REQUEST = CompletedRequest(model="tiny", num_graphs=3, seed=7, sampler="ancestral", num_steps=10)
QUEUED = {
    "status": "queued",
    "model": "tiny",
    "kind": "unconditional",
    "created_at": "2026-11-26T01:08:27+00:00",
    "request": REQUEST.model_dump_json(),
}


def test_ids_sort_by_their_time_and_tell_it() -> None:
    ids = [new_job_id(seconds) for seconds in (0.5, 1e9, 1.7e9)]

    assert sorted(ids) == ids
    assert [created_at(job_id) for job_id in ids] == [0.5, 1e9, 1.7e9]
    assert {len(job_id) for job_id in ids} == {32}
    assert new_job_id(1.0) != new_job_id(1.0)


@pytest.mark.parametrize("other", ["", "none", "job-of-rq"])
def test_an_id_of_others_tells_no_time(other: str) -> None:
    assert created_at(other) == 0


def test_a_job_that_waits_has_nothing_of_its_end() -> None:
    job = to_job("a", QUEUED | {"position": "2"})

    assert (job.status, job.progress.position, job.progress.num_graphs) == (JobStatus.QUEUED, 2, 3)
    assert (job.started_at, job.finished_at, job.summary, job.error) == (None, None, None, None)
    assert job.request == REQUEST
    assert job.links.events == "/jobs/a/events"


def test_a_job_that_has_ended_has_its_counts() -> None:
    ended = {"status": "succeeded", "fraction": "1.0", "graphs_done": "3", "summary": '{"num_graphs": 3, "seconds": 1}'}

    job = to_job("a", QUEUED | ended)

    assert job.summary is not None
    assert (job.summary.num_graphs, job.progress.fraction, job.progress.graphs_done) == (3, 1, 3)


def test_graphs_are_put_in_as_they_are() -> None:
    job = to_job("a", QUEUED)
    graphs = [b'{"nodes":  [1]}', b'{"nodes": []}']

    written = StoredJob(job, graphs).to_json()

    assert graphs[0] in written
    assert json.loads(written)["graphs"] == [{"nodes": [1]}, {"nodes": []}]
    assert json.loads(StoredJob(job, []).to_json())["graphs"] == []
    assert json.loads(StoredJob(job, None).to_json()) == json.loads(job.model_dump_json())


def test_fields_of_redis_are_text() -> None:
    assert decode_fields({b"model": "名".encode()}) == {"model": "名"}
