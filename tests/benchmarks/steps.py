"""(a), (e) and (f): one reverse step."""

import importlib.util
import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product

import torch
from torch.profiler import ProfilerActivity, profile

from models.card.card import ModelCard
from models.card.config import FeatureConfig, NetworkConfig
from models.card.folder import shipped_checkpoints
from models.checkpoint import LoadedModel, load_model
from models.compute.memory import peak_bytes, reset_peak
from models.compute.precision import autocast, round_weights
from models.compute.threads import prepare_thread
from models.diffusion.corruption import draw_graphs
from models.diffusion.sampler import ancestral
from models.generation import Generation, advance
from models.graphs import GraphBatch
from models.networks.denoiser import Denoiser
from models.plan import GenerationPlan
from tests.benchmarks.comparison import Comparison, alternate, seconds
from tests.conftest import make_card, make_denoiser
from tests.models.diffusion.reference import table_posterior, table_step

PUBLISHED = NetworkConfig(
    num_layers=9,
    node_width=256,
    edge_width=64,
    global_width=64,
    node_hidden=256,
    edge_hidden=128,
    global_hidden=2048,
    edge_attention="channel",
)
BATCH = 64
SIZES = (20, 64, 128, 256)
LEVEL_COST = 256**2
NOISE = 0.1
MATRIX_PRODUCTS = {"aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm"}
OF_TORCH_MOLECULE = ["CCO", "CCN", "CC(C)CCCCC", "c1ccccc1CCC", "OCC(F)CCCCN"]


def published_size() -> list[Comparison]:
    """(a) A step at DiGress's published QM9 size: 9 layers, 256/64/64, T = 500, batch 64, random weights."""
    shipped = _qm9()
    cohort = _generation(shipped, BATCH).start(range(BATCH))
    graph, seeds = cohort.graphs, cohort.seeds
    card = shipped.card.model_copy(update={"network": PUBLISHED})
    single, rounded = (make_denoiser(card).eval().requires_grad_(False) for _ in range(2))
    for part in (rounded.network, rounded.node_head, rounded.edge_head):
        round_weights(part, torch.device("cpu"))
    t = torch.full((BATCH,), 250)
    s = t - 10

    @torch.no_grad()
    def ours(denoiser: Denoiser) -> GraphBatch:
        probs = ancestral(denoiser, graph, s=s, t=t)
        return draw_graphs(probs, seeds, num_nodes=graph.num_nodes, step=s)

    def in_bfloat16(step: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            with autocast(torch.device("cpu")):
                return step()

        return run

    clean = torch.rand(BATCH, 9, 9, len(card.edge_types)).softmax(-1)
    edges = {"z_t": graph.edges, "s": s, "t": t}
    contestants: dict[str, Callable[[], object]] = {
        "bfloat16": in_bfloat16(lambda: ours(rounded)),
        "by tables": in_bfloat16(lambda: table_step(rounded, graph, s=s, t=t)),
        "posterior": lambda: single.noise.edges.posterior(clean, **edges),
        "posterior by tables": lambda: table_posterior(single.noise.edges, clean, **edges),
        "shipped": lambda: advance([cohort]),
        "single": lambda: ours(single),
    }
    if importlib.util.find_spec("torch_molecule"):
        contestants["torch-molecule"] = _torch_molecule()
    found = alternate(7, {name: _milliseconds(function) for name, function in contestants.items()})
    if "torch-molecule" in found:
        found["torch-molecule"] /= _TIMESTEPS
    pairs = [
        ("step of the published size", "bfloat16", "with tables per pair, multinomial", "by tables"),
        ("the posterior of all pairs", "posterior", "by tables", "posterior by tables"),
        ("step, single precision", "single", "torch-molecule's, at its widths", "torch-molecule"),
        ("step, where bfloat16 is native", "bfloat16", "torch-molecule's, at its widths", "torch-molecule"),
        ("step of the shipped qm9", "shipped", "step of the published size", "bfloat16"),
    ]
    return [
        Comparison("a", what, found[one], against, found[other], "ms", found[other] / found[one], "base/figure")
        for what, one, against, other in pairs
        if other in found
    ]


def growth() -> list[Comparison]:
    """(e) Time and memory of a step against n, each in a process of its own: of one graph, and of so many that Σ n² is the same."""
    alone = {size: _in_own_process(size, 1) for size in SIZES}
    level = {size: _in_own_process(size, round(LEVEL_COST / size**2)) for size in SIZES}
    rows = []
    for smaller, larger in pairwise(SIZES):
        one, other = alone[larger]["time"], alone[smaller]["time"]
        exponent = math.log(one / other) / math.log(larger / smaller)
        row = Comparison(
            "e", f"a step of one graph, n = {larger}", one, f"n = {smaller}", other, "ms", exponent, "exponent"
        )
        rows.append(replace(row, wanted="exponent ≤ 2", reached=exponent <= 2))
    for size, (what, unit) in product(SIZES[1:], (("time", "ms"), ("memory", "MB"))):
        one, other = level[size][what], level[SIZES[0]][what]
        row = Comparison(
            "e",
            f"{what}, same Σ n², n = {size}",
            one,
            f"n = {SIZES[0]}",
            other,
            unit,
            one / other,
            "figure/base",
            f"≤ {1 + NOISE}",
        )
        rows.append(replace(row, reached=one / other <= 1 + NOISE))
    return rows


def products() -> list[Comparison]:
    """(f) How much of a step of the shipped network is matrix products."""
    cohort = _generation(_qm9(), 404).start(range(404))
    advance([cohort])
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(10):
            advance([cohort])
    events = profiler.key_averages()
    whole = sum(event.self_cpu_time_total for event in events) / 1e4
    in_products = sum(event.self_cpu_time_total for event in events if event.key in MATRIX_PRODUCTS) / 1e4
    return [
        Comparison(
            "f",
            "matrix products in a step of 404 graphs",
            in_products,
            "the whole step",
            whole,
            "ms",
            in_products / whole,
            "figure/base",
        )
    ]


def main(num_nodes: int, num_graphs: int) -> None:
    """One size of (e), as JSON on standard output."""
    features = FeatureConfig(random_walk_powers=8, cycles=True, molecular=True)
    card = make_card(network=NetworkConfig(), features=features, max_nodes=num_nodes)
    denoiser = make_denoiser(card).eval().requires_grad_(False)
    model = LoadedModel(card, denoiser, [])
    advance([_generation(model, 1).start([0])])
    device = torch.device("cpu")
    before, cohort = reset_peak(device), _generation(model, num_graphs).start(range(num_graphs))
    found = min(seconds(lambda: advance([cohort])) for _ in range(5))
    print(json.dumps({"time": 1e3 * found, "memory": max(peak_bytes(device) - before, 1) / 1e6}))  # noqa: T201


def _in_own_process(num_nodes: int, num_graphs: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.steps", str(num_nodes), str(num_graphs)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def _milliseconds(function: Callable[[], object]) -> Callable[[], float]:
    return lambda: 1e3 * seconds(function)


def _qm9() -> LoadedModel:
    return load_model(shipped_checkpoints() / "qm9")


def _generation(model: LoadedModel, num_graphs: int) -> Generation:
    card: ModelCard = model.card
    size = card.max_nodes
    return Generation(model, GenerationPlan(num_graphs, size, size, 0, "ancestral", "polydec", 10))


_TIMESTEPS = 10


def _torch_molecule() -> Callable[[], object]:
    """All steps of the sampler of the package torch-molecule, which is DiGress too: 9 layers of 256/64/128.

    It draws in single precision, and makes SMILES of what it has drawn.
    """
    from torch_molecule.generator.digress import DigressMolecularGenerator

    generator = DigressMolecularGenerator(
        hidden_size_X=256, hidden_size_E=64, num_layer=9, n_head=8, timesteps=_TIMESTEPS, batch_size=20, epochs=1
    )
    generator.fit(OF_TORCH_MOLECULE * 4)
    return lambda: generator.generate(num_nodes=[[9]] * BATCH)


if __name__ == "__main__":
    prepare_thread(num_cores=1)
    main(int(sys.argv[1]), int(sys.argv[2]))
