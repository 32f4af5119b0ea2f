"""Measuring a checkpoint: draw fresh samples, compute their metrics, record how."""

import math
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from models.card.card import ModelCard
from models.card.measurements import GivenKind, GivenMeasurement, Measurement
from models.checkpoint import LoadedModel
from models.compute.precision import autocast
from models.data.catalogue import DATASETS, load_dataset, reference_molecules
from models.data.dataset import GraphData
from models.data.files.load import fingerprint, load_file
from models.diffusion.likelihood import likelihood_bound
from models.diffusion.randomness import graph_seeds
from models.evaluation.given import complete, measure_completions, measure_similarity, sources_of
from models.evaluation.graphs import evaluate_graphs
from models.evaluation.molecules import EvaluationError, evaluate_molecules, smiles_of, stability
from models.generation import BATCH_COST, Progress, generate
from models.graphs import GraphBatch
from models.plan import GenerationPlan

DEFAULT_SEED = 20_000
# Test graphs that something is given of, at most.
_SOURCES = 200
# The likelihood: test graphs, and noisy ones made of all of them together.
_MOST_TEST_GRAPHS = 512
_NOISY_GRAPHS = 4_096


def reference_data(card: ModelCard, file: Path | None = None) -> GraphData:
    """The data set that a card's model was trained on; `file`, if it was one of the user's own.

    Raises:
        EvaluationError: if that is not known, or the file is another.
        DataFileError: if the file holds no graphs.
    """
    record = card.training
    if file is None:
        if record and record.dataset_sha256 is None and record.dataset in DATASETS:
            return load_dataset(record.dataset)
        source = record.dataset if record else "other data"
        raise EvaluationError(f"{card.name!r} was trained on {source}; give its file by --data")
    data = load_file(file).graphs
    if record and record.dataset_sha256 not in {None, fingerprint(file)}:
        raise EvaluationError(f"{file.name} is not what {card.name!r} was trained on, or has changed since")
    if (data.node_types, data.edge_types) != (card.node_types, card.edge_types):
        raise EvaluationError(
            f"{file.name} is not what {card.name!r} was trained on: its types of nodes or edges are others"
        )
    return data


def evaluate(
    model: LoadedModel,
    plan: GenerationPlan,
    data: GraphData,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    *,
    likelihood: bool = True,
) -> Measurement:
    """Metrics of a plan's samples (`models.evaluation.molecules`, `models.evaluation.graphs`), and the likelihood of test graphs.

    Raises:
        EvaluationError: if fewer than two samples are valid molecules.
    """
    card = model.card
    started = time.perf_counter()
    samples = [batch.graphs for batch in generate(model, plan, on_progress)]
    seconds = time.perf_counter() - started
    measure = _evaluate_molecules if card.domain == "molecule" else evaluate_graphs
    metrics = measure(card, samples, data)
    values = {
        **metrics,
        **(negative_log_likelihood(model, data, seed=plan.seed) if likelihood else {}),
        "graphs_per_second": round(plan.num_graphs / seconds, 1),
    }
    options = [] if likelihood else ["--no-likelihood"]
    return Measurement.model_validate(how_measured(card, plan, data, options) | {"values": values})


def evaluate_given(
    model: LoadedModel,
    plan: GenerationPlan,
    data: GraphData,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    *,
    kind: GivenKind,
) -> GivenMeasurement:
    """How a plan's number of graphs complete what is given of test graphs, or are like those near which they begin.

    Raises:
        EvaluationError: if there are no such parts, too few valid completions, or a number that the test graphs cannot share.
    """
    sources = sources_of(data, kind, min(_SOURCES, plan.num_graphs), seed=plan.seed)
    if plan.num_graphs % len(sources):
        raise EvaluationError(f"-n must be a multiple of the {len(sources)} test graphs that something is given of")
    if kind == "near":
        values = measure_similarity(model, plan, sources, on_progress)
    else:
        values = measure_completions(model.card, sources, complete(model, plan, sources, on_progress), data)
    how = how_measured(model.card, plan, data, [f"--given {kind}"])
    return GivenMeasurement.model_validate(how | {"kind": kind, "num_sources": len(sources), "values": values})


def how_measured(card: ModelCard, plan: GenerationPlan, data: GraphData, options: Sequence[str]) -> dict[str, Any]:
    """The settings of a measurement, and the command that repeats it."""
    eta = plan.eta if plan.sampler == "mixed" else None
    words = [
        f"digress evaluate {card.name} -n {plan.num_graphs}{_source(data)} --sampler {plan.sampler}",
        *([] if eta is None else [f"--eta {eta:g}"]),
        f"--grid {plan.grid} --num-steps {plan.num_steps} --seed {plan.seed}",
        *options,
        "--json",
    ]
    return {
        "version": card.version,
        "num_graphs": plan.num_graphs,
        "sampler": plan.sampler,
        "eta": eta,
        "grid": plan.grid,
        "num_steps": plan.num_steps,
        "seed": plan.seed,
        "command": " ".join(words),
    }


def _source(data: GraphData) -> str:
    """The option of `digress evaluate` that names a file's data."""
    return "" if data.name in DATASETS else f" --data {shlex.quote(data.name)}"


def negative_log_likelihood(model: LoadedModel, data: GraphData, *, seed: int) -> dict[str, float]:
    """The bound on -log p(test graph), in nats a graph, and its terms (`models.diffusion.likelihood`), all beginning with nll."""
    graphs = data.test[:_MOST_TEST_GRAPHS]
    device = model.denoiser.node_marginals.device
    seeds = graph_seeds(seed, torch.arange(len(graphs)))
    num_times = max(_NOISY_GRAPHS // len(graphs), 1)
    size = max(BATCH_COST // graphs.max_nodes**2, 1)
    terms: dict[str, list[float]] = {}
    for first in range(0, len(graphs), size):
        batch = graphs[first : first + size].trimmed().long().to(device)
        with autocast(device):
            bound = likelihood_bound(model.denoiser, batch, seeds[first : first + size].to(device), num_times=num_times)
        for name, values in {**vars(bound), "total": bound.total}.items():
            terms.setdefault(name, []).extend(values.tolist())
    means = {name: fmean(values) for name, values in terms.items()}
    sizes = model.card.size_distribution
    # A size that training did not see is as likely as one graph among all that it saw; with it the sizes' chances
    # sum to a little more than one, and the bound is so much too low.
    unseen = 1 / max(len(data.train), 1)
    means["size"] = fmean(-math.log(sizes.get(size, unseen)) for size in graphs.num_nodes.tolist())
    means["total"] += means["size"]
    return {"nll": means.pop("total"), **{f"nll_{name}": value for name, value in means.items()}}


def _evaluate_molecules(card: ModelCard, samples: Sequence[GraphBatch], data: GraphData) -> dict[str, float]:
    found = [text for batch in samples for text in smiles_of(card, batch)]
    training, reference = (
        reference_molecules(data, split) or list(filter(None, smiles_of(card, graphs)))
        for split, graphs in (("train", data.train), ("test", data.test))
    )
    metrics = evaluate_molecules(found, training=set(training), reference=reference)
    return {**metrics.as_dict(), **stability(card, samples)}
