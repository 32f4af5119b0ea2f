"""Traces as a collector receives them: of the whole service, of a worker that dies, and none where they are off."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from redis import Redis

from app.commands.supervisor import free_port
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser
from tests.forked import WORKER, forked
from tests.integration.collector import WHOLE, Collector, collecting, values
from tests.servers import DIGRESS, stack, valkey, wait_until

# Traces of callers beside the whole one, each with a span of the caller's.
FAILED, REFUSED, UNFINISHED, ORPHANED, HOPELESS = (digit * 32 for digit in "23456")
CALLER = "00f067aa0ba902b7"
REQUEST = {"model": "tiny", "num_graphs": 3, "seed": 123_454_321}
LONG = {"model": "tiny", "num_graphs": 800, "num_steps": 10}
ENDLESS = {"model": "tiny", "num_graphs": 10_000, "num_steps": 50}
WAIT = {"Prefer": "wait=60"}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that works and one whose weights are broken."""
    folder = tmp_path_factory.mktemp("checkpoints")
    card = make_card()
    save_checkpoint(card, make_denoiser(card), folder / "tiny")
    save_checkpoint(card.model_copy(update={"name": "broken"}), make_denoiser(card), folder / "broken")
    (folder / "broken" / "weights.safetensors").write_bytes(b"?")
    return folder


@dataclass(frozen=True)
class Outage:
    """What has happened in a service whose collector was out of reach, and whose worker was killed over a job at its end."""

    redis_url: str
    orphan: str
    hopeless: str
    """Another one, over which enough workers have died."""
    traceparent: str
    """What the message of the orphaned job has."""
    status: str
    """Of a job before that."""
    seconds: float
    """That it took, with twenty other requests."""
    end_seconds: float
    """That the API took to end."""
    api_log: str
    worker_log: str


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory, checkpoints: Path) -> Iterator[Outage]:
    folder = tmp_path_factory.mktemp("outage")
    port, api_log, worker_log = free_port(), folder / "api.log", folder / "worker.log"
    with valkey(folder) as url, Redis.from_url(url) as redis:
        environment = service_environment(checkpoints, f"http://127.0.0.1:{free_port()}") | {
            "DIGRESS_REDIS_URL": url,
            "DIGRESS_PORT": str(port),
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        with (
            forked(WORKER, environment, worker_log) as worker,
            forked([DIGRESS, "api"], environment, api_log) as api,
            httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=70) as client,
        ):
            wait_until(lambda: redis.zcard("digress:workers") == 1, seconds=40)
            client.post("/generate", json=REQUEST, headers=WAIT)
            time.sleep(1.5)  # both have tried to send, and tried again

            started = time.monotonic()
            job = client.post("/generate", json=REQUEST, headers=WAIT).json()
            assert all(client.get("/models").is_success for _ in range(20))
            seconds = time.monotonic() - started
            orphan, hopeless = (
                client.post("/generate", json=LONG, headers={"traceparent": f"00-{trace}-{CALLER}-01"}).json()["id"]
                for trace in (ORPHANED, HOPELESS)
            )
            wait_until(lambda: redis.zcard("rq:wip:digress") == 2, seconds=20)
            worker.kill()
            started = time.monotonic()
            api.send_signal(signal.SIGTERM)
            api.wait(20)
            end_seconds = time.monotonic() - started
        redis.hset(f"rq:job:{hopeless}", "retries_left", 0)
        meta = json.loads(redis.hget(f"rq:job:{orphan}", "meta") or b"")
        yield Outage(
            redis_url=url,
            orphan=orphan,
            hopeless=hopeless,
            traceparent=meta.get("traceparent", ""),
            status=job["status"],
            seconds=seconds,
            end_seconds=end_seconds,
            api_log=api_log.read_text(),
            worker_log=worker_log.read_text(),
        )


def service_environment(checkpoints: Path, endpoint: str) -> dict[str, str]:
    return {
        "DIGRESS_TRACING": "true",
        "DIGRESS_CHECKPOINTS": str(checkpoints),
        "DIGRESS_LEASE_SECONDS": "3",
        "DIGRESS_LOG_FORMAT": "json",
        "DIGRESS_DRAIN_SECONDS": "0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
    }


@dataclass(frozen=True)
class Service:
    """What has happened in a service that was traced, and has ended since."""

    collector: Collector
    log: list[dict[str, Any]]
    done: Any
    failed: Any


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, checkpoints: Path, outage: Outage) -> Service:
    folder = tmp_path_factory.mktemp("traced")
    with collecting() as collector:
        environment = service_environment(checkpoints, collector.endpoint) | {
            "DIGRESS_REDIS_URL": outage.redis_url,
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
            # Spans leave when the process ends, and not before.
            "OTEL_BSP_SCHEDULE_DELAY": "600000",
        }
        with stack(folder, environment) as (client, process):

            def post(body: dict[str, Any], trace: str, **headers: str) -> Any:
                headers |= {"traceparent": f"00-{trace}-{CALLER}-01", "X-Request-ID": "r-1"}
                headers |= {"Authorization": "Bearer my-secret"}
                return client.post("/generate", json=body, headers=headers, params={"key": "my-secret"}).json()

            done = post(REQUEST, WHOLE, **WAIT)
            failed = post(REQUEST | {"model": "broken"}, FAILED, **WAIT)
            refused = post(REQUEST | {"num_graphs": "my-secret"}, REFUSED)
            assert refused["status"] == 422
            for job_id, end in ((outage.orphan, "succeeded"), (outage.hopeless, "failed")):
                wait_until(partial(has, client, f"/jobs/{job_id}", status=end), seconds=40)
            unfinished = post(ENDLESS, UNFINISHED)["links"]["self"]
            wait_until(partial(has, client, unfinished, status="running"), seconds=20)
            assert collector.received == []
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    lines = (folder / "serve.log").read_text().splitlines()
    return Service(collector, [json.loads(line) for line in lines if line.startswith("{")], done, failed)


def has(client: httpx2.Client, location: str, *, status: str) -> bool:
    return bool(client.get(location).json()["status"] == status)


def test_a_request_is_one_trace_from_the_caller_through_both_processes(service: Service) -> None:
    names = ["POST /generate", "submit digress", "process digress"]

    spans = [service.collector.span(name) for name in names]

    assert sorted(names) == sorted(one.span.name for one in service.collector.received if one.trace == WHOLE)
    parents = [one.span.parent_span_id.hex() for one in spans]
    assert parents == [CALLER, *(one.span.span_id.hex() for one in spans[:2])]
    kinds = [one.span.kind for one in spans]
    assert kinds == [Span.SPAN_KIND_SERVER, Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER]
    assert {one.span.status.code for one in spans} == {Status.STATUS_CODE_UNSET}
    services = [one.resource["service.name"] for one in spans]
    assert services == ["digress-api", "digress-api", "digress-worker"]
    assert {one.resource["deployment.environment.name"] for one in spans} == {"test"}


def test_spans_say_what_was_asked_and_how_it_ended(service: Service) -> None:
    request, submission, job = map(service.collector.span, ("POST /generate", "submit digress", "process digress"))

    asked = {"http.route": "/generate", "http.response.status_code": 200, "digress.request_id": "r-1"}
    what = {"digress.job.model": "tiny", "digress.job.kind": "unconditional", "digress.job.num_graphs": 3}
    where = {"messaging.destination.name": "digress", "messaging.message.id": service.done["id"]}
    assert asked.items() <= request.attributes.items()
    assert (what | where).items() <= submission.attributes.items()
    assert (what | where | {"digress.job.status": "succeeded"}).items() <= job.attributes.items()
    assert 0 <= job.attributes["digress.job.wait_seconds"] < 30
    assert [event.name for event in job.span.events] == ["drawing begins", "drawing ended"]


def test_the_span_of_a_job_that_failed_says_by_what(service: Service) -> None:
    job = service.collector.span("process digress", FAILED)

    assert service.failed["status"] == "failed"
    assert job.span.status.code == Status.STATUS_CODE_ERROR
    assert (job.attributes["digress.job.status"], job.attributes["error.type"]) == ("failed", "CardError")
    (event,) = job.span.events
    assert event.name == "exception"
    assert values(event).keys() == {"exception.type", "exception.stacktrace"}
    assert "load_model" in values(event)["exception.stacktrace"]


def test_a_request_that_is_refused_has_its_status_and_no_job(service: Service) -> None:
    request = service.collector.span("POST /generate", REFUSED)

    assert request.attributes["http.response.status_code"] == 422
    assert [one.span.name for one in service.collector.received if one.trace == REFUSED] == ["POST /generate"]


def test_a_job_that_a_worker_hands_back_says_so_and_has_no_status(service: Service) -> None:
    job = service.collector.span("process digress", UNFINISHED)

    assert "digress.job.status" not in job.attributes
    assert [(event.name, values(event)) for event in job.span.events][1:] == [("left", {"reason": "HandedBack"})]
    assert job.span.status.code == Status.STATUS_CODE_UNSET


def test_a_job_whose_worker_died_is_in_the_same_trace_when_another_ends_it(outage: Outage, service: Service) -> None:
    job = service.collector.span("process digress", ORPHANED)

    assert f"00-{ORPHANED}-{job.span.parent_span_id.hex()}-01" == outage.traceparent
    assert job.attributes["messaging.message.id"] == outage.orphan
    assert job.attributes["digress.job.status"] == "succeeded"
    assert job.attributes["digress.job.wait_seconds"] > 2


def test_a_job_that_is_given_up_has_a_span_that_says_so(outage: Outage, service: Service) -> None:
    job = service.collector.span("process digress", HOPELESS)

    assert job.attributes["messaging.message.id"] == outage.hopeless
    assert (job.attributes["digress.job.status"], job.attributes["error.type"]) == ("failed", "RetriesExhausted")
    assert job.span.status.code == Status.STATUS_CODE_ERROR


def test_no_span_has_a_body_a_query_or_a_key_in_it(service: Service) -> None:
    sent = str([one.span for one in service.collector.received])

    assert service.done["id"] in sent
    assert "my-secret" not in sent
    assert str(REQUEST["seed"]) not in sent


def test_machines_that_look_whether_all_is_well_are_not_traced(service: Service) -> None:
    # `stack` has asked for /health/ready until it was.
    assert {one.span.name for one in service.collector.received} == {
        *("POST /generate", "submit digress", "process digress", "GET /jobs/{job_id}")
    }


def test_the_logs_of_both_processes_name_trace_and_span(service: Service) -> None:
    lines = [line for line in service.log if line.get("trace_id") == WHOLE]

    asked, computed = (
        service.collector.span(name).span.span_id.hex() for name in ("POST /generate", "process digress")
    )
    assert {line["event"]: line["span_id"] for line in lines} == {
        "job queued": asked,
        "request": asked,
        "job begins": computed,
        "job ended": computed,
    }
    assert {line["request_id"] for line in lines} == {"r-1"}


def test_a_collector_out_of_reach_slows_nothing_down(outage: Outage) -> None:
    assert outage.status == "succeeded"
    assert outage.seconds < 5
    assert outage.end_seconds < 5  # the exporter alone would try for seven


@pytest.mark.parametrize("process", ["api", "worker"])
def test_a_collector_out_of_reach_is_complained_of_once(outage: Outage, process: str) -> None:
    log = getattr(outage, f"{process}_log")

    lines = [json.loads(line)["event"] for line in log.splitlines()]
    (complaint,) = [line for line in lines if "export" in line]
    assert "Connection refused" in complaint


def test_nothing_is_sent_nor_imported_where_tracing_is_off(tmp_path: Path, checkpoints: Path) -> None:
    code = (
        "import sys\n"
        "from fastapi.testclient import TestClient\n"
        "from app.main import build\n"
        "with TestClient(build(), base_url='http://localhost') as client:\n"
        "    assert client.post('/generate', json={'model': 'tiny'}, headers={'traceparent': sys.argv[1]}).is_success\n"
        # redis-py imports the SDK's metrics wherever they are installed.
        "sys.exit(' '.join({'opentelemetry.sdk.trace', 'opentelemetry.exporter'} & set(sys.modules)) or None)"
    )
    with valkey(tmp_path) as url, collecting() as collector, Redis.from_url(url) as redis:
        variables = {
            "DIGRESS_REDIS_URL": url,
            "DIGRESS_CHECKPOINTS": str(checkpoints),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        }
        command = [sys.executable, "-c", code, f"00-{WHOLE}-{CALLER}-01"]
        done = subprocess.run(command, env=os.environ | variables, check=False, capture_output=True, text=True)
        (message,) = redis.scan_iter("rq:job:*")
        meta = json.loads(redis.hget(message, "meta") or b"")

    assert done.returncode == 0, done.stderr
    assert collector.received == []
    assert meta.keys() == {"request_id", "owner"}
