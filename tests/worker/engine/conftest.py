"""Two small models, an engine that draws from them, and what one asks of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from app.schemas import AnyCompletedRequest, CompletedConditionalRequest, CompletedRequest
from models.checkpoint import LoadedModel, save_checkpoint, save_regressor
from models.conditional import Goal
from models.generation import GeneratedBatch, Generation, generate
from models.plan import GenerationPlan
from tests.conftest import make_card, make_denoiser, make_regressor, make_regressor_card
from tests.worker.engine.batches import batches_of
from worker.engine.budget import Budget
from worker.engine.engine import Engine
from worker.engine.job import EngineJob
from worker.engine.work import Work
from worker.plans import plan
from worker.store import ModelStore

SMALL = Budget(largest=900, overhead=100, lanes=2)
Graphs = dict[int, tuple[list[int], list[list[int]]]]
CARD = make_card().with_regressor(make_regressor_card())
MODEL = LoadedModel(CARD, make_denoiser(CARD), [make_regressor(CARD)])
BUDGET = Budget(largest=8_100, overhead=800)  # a hundred graphs; the time of ten
NUM_STEPS = 5


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    for name, seed in (("tiny", 0), ("other", 5)):
        card = make_card().model_copy(update={"name": name})
        card = save_checkpoint(card, make_denoiser(card, seed), tmp_path / name)
        save_regressor(card, make_regressor_card(), make_regressor(card), tmp_path / name)
    return ModelStore(tmp_path, torch.device("cpu"))


@pytest.fixture
def engine(store: ModelStore) -> Iterator[Engine]:
    with Engine(store, SMALL) as engine:
        yield engine


def make_request(num_graphs: int = 5, **changes: Any) -> CompletedRequest:
    fields = {"model": "tiny", "num_graphs": num_graphs, "seed": 7, "sampler": "ancestral", "num_steps": 10}
    return CompletedRequest.model_validate(fields | changes)


def make_guided(num_graphs: int = 5, **changes: Any) -> CompletedConditionalRequest:
    fields = make_request(num_graphs).model_dump() | {"targets": {"a": 1.0}, "guidance_scale": 5.0}
    return CompletedConditionalRequest.model_validate(fields | {"estimator": "proposals", "candidates": 2} | changes)


def collected(batches: Iterator[GeneratedBatch]) -> Graphs:
    found: Graphs = {}
    for batch in batches:
        for row, (index, size) in enumerate(zip(batch.indices.tolist(), batch.graphs.num_nodes.tolist(), strict=True)):
            nodes, edges = batch.graphs.nodes[row, :size], batch.graphs.edges[row, :size, :size]
            found[index] = (nodes.tolist(), edges.tolist())
    return found


def drawn_alone(store: ModelStore, request: AnyCompletedRequest) -> Graphs:
    model = store.model(request.model)
    return collected(generate(model, plan(request, model.card)))


def ended(job: EngineJob) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        for _ in batches_of(job):
            pass
    return caught.value


def make_work(num_graphs: int, *, model: LoadedModel = MODEL, goal: Goal | None = None) -> Work:
    plan = GenerationPlan(num_graphs, 9, 9, num_graphs, "ancestral", "polydec", NUM_STEPS, goal)
    return Work(Generation(model, plan), BUDGET)
