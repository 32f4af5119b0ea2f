import os
import pickle
import socket
from pathlib import Path

import pytest
from redis import Redis
from rq import Callback, Queue, Webhook
from rq.job import JobStatus as RqJobStatus
from rq.serializers import JSONSerializer

from app.jobs.keys import JOB_FUNCTION, QUEUE
from worker.rq_worker import GenerationWorker

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that importing the module `poison` leaves."""
    (tmp_path / "poison.py").write_text(f"open({str(tmp_path / 'trace')!r}, 'w').close()\ndef call(*_): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "trace"


def test_no_other_function_is_ever_run(redis: Redis, worker: GenerationWorker, trace: Path) -> None:
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    jobs = [
        queue.enqueue(name, f"touch {trace}") for name in ("os.system", "subprocess.getoutput", "worker.jobs.os.system")
    ]
    callback = Callback("poison.call")
    for arguments in (["gone", {}], ["one too many", {}, {}]):  # one succeeds, one fails
        queue.enqueue(JOB_FUNCTION, *arguments, on_success=callback, on_failure=callback)

    worker.work(burst=True)

    assert not trace.exists()
    for job in jobs:
        assert job.get_status() == "failed"
        assert "ForbiddenFunction" in str(job.latest_result().exc_string)  # type: ignore[union-attr]
    assert redis.keys("digress:job:*") == []


def test_the_job_of_a_dead_worker_calls_nothing_either(redis: Redis, worker: GenerationWorker, trace: Path) -> None:
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        webhook = Webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/", "failed", timeout=1)
        job = queue.enqueue(JOB_FUNCTION, "gone", {}, on_failure=Callback("poison.call"), webhooks=[webhook])
        redis.lrem(queue.key, 1, job.id)
        job.set_status(RqJobStatus.STARTED)
        registry = worker.queues[0].started_job_registry
        redis.zadd(registry.key, {f"{job.id}:execution": 1})

        registry.cleanup(exception_handlers=[worker._give_up])

        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert job.get_status() == RqJobStatus.FAILED
    assert not trace.exists()


def test_a_pickle_in_the_queue_is_not_opened(redis: Redis, worker: GenerationWorker, tmp_path: Path) -> None:
    class Poison:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'trace'}",)

    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    job = queue.enqueue(JOB_FUNCTION)
    redis.hset(job.key, "data", pickle.dumps((JOB_FUNCTION, None, (Poison(),), {})))

    worker.work(burst=True)

    assert not (tmp_path / "trace").exists()
