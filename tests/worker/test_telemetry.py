"""What Prometheus reads of a worker that has drawn something."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from app.commands.supervisor import free_port
from app.schemas import CompletedRequest, JobStatus, JobSummary
from models.checkpoint import save_checkpoint
from tests.conftest import make_card, make_denoiser
from tests.worker.engine.batches import batches_of
from worker.engine.budget import Budget
from worker.engine.engine import Engine
from worker.store import ModelStore
from worker.telemetry import WorkerMetrics


def values(text: str, **labels: str) -> dict[str, float]:
    """name -> value of the samples that have these labels, and a histogram's no others."""
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {sample.name: sample.value for sample in samples if labels.items() <= sample.labels.items()}


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    save_checkpoint(make_card(), make_denoiser(make_card()), tmp_path / "tiny")
    with Engine(ModelStore(tmp_path, torch.device("cpu")), Budget(largest=900, overhead=100)) as engine:
        yield engine


def test_steps_are_counted_for_every_graph(engine: Engine) -> None:
    request = CompletedRequest(model="tiny", num_graphs=20, seed=1, sampler="ancestral", num_steps=7)

    before = values(generate_latest(engine.metrics.registry).decode())
    list(batches_of(engine.submit(request)))
    after = values(generate_latest(engine.metrics.registry).decode(), model="tiny")

    assert "digress_engine_graph_steps_total" not in before
    assert before["digress_engine_jobs"] == 0
    assert after["digress_engine_graph_steps_total"] == 20 * 7
    steps = after["digress_engine_step_duration_seconds_count"]
    assert 14 <= steps < 20 * 7  # at 900 a step, not all fit into one, and several do
    # Every graph's n² in every one of its steps, of 900.
    fullness = after["digress_engine_batch_fullness_ratio_sum"]
    assert 0.3 * steps < fullness <= steps
    assert after["digress_model_loaded"] == 1


def test_memory_of_a_cpu_is_that_of_the_worker(engine: Engine) -> None:
    text = generate_latest(engine.metrics.registry).decode()

    used = values(text, device="cpu", state="used")["digress_device_memory_bytes"]
    assert used == pytest.approx(values(text)["process_resident_memory_bytes"], rel=0.1)
    assert values(text, device="cpu", state="free")["digress_device_memory_bytes"] > 0


def test_that_memory_was_short_for_the_first_time_is_an_increase(engine: Engine) -> None:
    engine.prepare("tiny")
    before = values(generate_latest(engine.metrics.registry).decode(), model="tiny")

    engine.metrics.memory_was_short("tiny")

    after = values(generate_latest(engine.metrics.registry).decode(), model="tiny")
    assert before["digress_engine_memory_short_total"] == 0
    assert after["digress_engine_memory_short_total"] == 1


def test_jobs_are_counted_by_how_they_end() -> None:
    metrics = WorkerMetrics()
    summary = JobSummary(num_graphs=10, valid=9, unique=9, short=2, seconds=1)

    metrics.job_started("tiny", "unconditional", waited=3.0)
    metrics.job_ended("tiny", "unconditional", JobStatus.SUCCEEDED, seconds=1.5, summary=summary)
    metrics.job_ended("tiny", "unconditional", JobStatus.FAILED, seconds=0.5, summary=None)

    text = generate_latest(metrics.registry).decode()
    found = values(text, model="tiny", kind="unconditional")
    assert found["digress_job_wait_seconds_sum"] == 3
    assert found["digress_graphs_total"] == 10
    assert found["digress_graphs_valid_total"] == 9
    assert found["digress_graphs_missing_total"] == 2
    assert values(text, status="succeeded")["digress_job_duration_seconds_sum"] == 1.5
    assert values(text, status="failed")["digress_job_duration_seconds_count"] == 1


def test_the_endpoint_answers(engine: Engine) -> None:
    port = free_port()
    engine.metrics.serve(port, "127.0.0.1")

    answer = httpx2.get(f"http://127.0.0.1:{port}/metrics")

    assert answer.status_code == 200
    assert "digress_engine_backlog_seconds 0.0" in answer.text


def test_valid_graphs_that_are_no_molecules_are_not_counted_among_the_molecules() -> None:
    metrics = WorkerMetrics()

    metrics.job_ended(
        "tiny", "unconditional", JobStatus.SUCCEEDED, seconds=1.5, summary=JobSummary(num_graphs=4, valid=1, seconds=1)
    )

    assert "digress_graphs_valid_total" not in values(
        generate_latest(metrics.registry).decode(), model="tiny", kind="unconditional"
    )
