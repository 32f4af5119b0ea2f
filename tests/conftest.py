"""Small real objects that many tests share."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import jaxtyping
import pytest
import structlog
import torch
import torch.nn.functional as F

from app.cli import main
from models.card.card import ModelCard, RegressorCard, TrainingRecord
from models.card.config import DiffusionConfig, FeatureConfig, NetworkConfig, SamplingConfig
from models.card.folder import shipped_checkpoints
from models.checkpoint import LoadedModel, load_checkpoint, load_model
from models.graphs import GraphBatch
from models.networks.denoiser import Denoiser
from models.networks.regressor import Regressor
from tests.forked import digress, forked, run
from tests.servers import running, stack, valkey

# Tests of one group run in one process (`make test`). A group is a file, or all that share one of these services. The longest
# groups come first: one that began last would keep a process busy alone.
SHIPPED, WATCHED = "shipped service", "prometheus"
LONGEST = (
    SHIPPED,
    *("faults/test_workers.py", "faults/test_redis.py", WATCHED, "docker/test_compose.py"),
    "app/commands/test_generate.py",
    *("models/training/test_run.py", "integration/test_flow.py", "integration/test_tracing.py", "app/test_cli.py"),
    *("fuzz/test_fuzz.py", "models/test_conditional.py", "worker/test_same_graphs.py", "worker/test_rq_worker.py"),
    *("models/evaluation/test_graphs.py", "models/data/test_qm9.py"),
)

TESTS = Path(__file__).parent
NODE_TYPES = ["C", "N", "O", "N+"]
EDGE_TYPES = ["none", "single", "double"]


# Whoever has one of these starts servers or commands, or asks one that another test has started.
STARTS_PROCESSES = (digress, forked, run, running, stack, valkey)
SERVED_FOLDERS = {"benchmarks", "docker", "e2e", "faults", "fuzz", "integration"}


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    assert all((TESTS / name).exists() for name in LONGEST if name not in {SHIPPED, WATCHED})
    places = {name: place for place, name in enumerate(LONGEST)}
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
        if is_served(item):
            item.add_marker("served")
    items.sort(key=lambda item: places.get(group_of(item), len(places)))


def group_of(item: pytest.Function) -> str:
    for fixture, group in {"shipped_service": SHIPPED, "prometheus": WATCHED}.items():
        if fixture in item.fixturenames:
            return group
    return item.path.relative_to(TESTS).as_posix()


def is_served(item: pytest.Function) -> bool:
    """Whether a test needs servers or other processes; `make test-quick` leaves it out."""
    if item.path.relative_to(TESTS).parts[0] in SERVED_FOLDERS or "valkey_url" in item.fixturenames:
        return True
    return any(value is one for value in vars(item.module).values() for one in STARTS_PROCESSES)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    # Tensors here are small, and other processes of the tests want the other core.
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> None:
    # A shell starts its background jobs with SIGINT ignored, and what the tests start would inherit that.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _plain_tracebacks() -> None:
    # As the service writes them; by default a traceback shows all variables, and to print networks takes seconds.
    render = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, render])


@pytest.fixture(scope="module")
def unchecked_shapes() -> Iterator[None]:
    """No shapes are checked: they take half of the time of a step of a small network, and other tests look at the same steps."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def make_card(
    *,
    diffusion: DiffusionConfig | None = None,
    network: NetworkConfig | None = None,
    features: FeatureConfig | None = None,
    max_nodes: int = 9,
) -> ModelCard:
    """The card of a network small enough to make anew in every test."""
    return ModelCard(
        name="tiny",
        version="1",
        description="A tiny network.",
        licence="MIT",
        domain="molecule",
        node_types=NODE_TYPES,
        edge_types=EDGE_TYPES,
        node_marginals=[0.6, 0.2, 0.15, 0.05],
        edge_marginals=[0.7, 0.25, 0.05],
        size_distribution={5: 0.5, max_nodes: 0.5},
        max_nodes=max_nodes,
        diffusion=diffusion or DiffusionConfig(num_timesteps=50),
        features=features or FeatureConfig(random_walk_powers=4, cycles=True, molecular=True),
        network=network or tiny_network(),
        sampling=SamplingConfig(num_steps=10),
    )


def tiny_network(**changes: object) -> NetworkConfig:
    """Two narrow layers."""
    return NetworkConfig.model_validate(
        {
            "num_layers": 2,
            "num_heads": 2,
            "node_width": 16,
            "edge_width": 8,
            "global_width": 8,
            "node_hidden": 16,
            "edge_hidden": 8,
            "global_hidden": 8,
            **changes,
        }
    )


def make_denoiser(card: ModelCard, seed: int = 0) -> Denoiser:
    """A network with random weights everywhere, the output maps included."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        denoiser = Denoiser(card)
        for parameter in denoiser.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    return denoiser.eval()


def make_regressor_card(**changes: object) -> RegressorCard:
    """Two properties, predicted by a tiny network."""
    known = {"unit": "", "description": "", "min": -3.0, "max": 3.0, "spread": 1.0}
    return RegressorCard.model_validate(
        {
            "name": "tiny-regressor",
            "properties": [
                {"name": "a", "mean": 0.5, "std": 2.0, **known},
                {"name": "b", "mean": -1.0, "std": 0.5, **known},
            ],
            "features": FeatureConfig(random_walk_powers=4, cycles=True, molecular=True),
            "network": tiny_network(),
            "training": make_record(),
            **changes,
        }
    )


def make_record(**changes: object) -> TrainingRecord:
    """Of a training that never was."""
    values = {"dataset": "none", "split": "none", "preset": "tiny", "hardware": "none", "code_version": "0"}
    numbers = {"num_graphs": 0, "seed": 0, "gradient_steps": 0, "minutes": 0.0}
    return TrainingRecord.model_validate({**values, **numbers, "recipe": {}, "finished": True, **changes})


def make_regressor(card: ModelCard, described: RegressorCard | None = None, seed: int = 1) -> Regressor:
    """A regressor with random weights everywhere, in single precision."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        regressor = Regressor(card, described or make_regressor_card())
        for parameter in regressor.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return regressor.eval().requires_grad_(False)


def random_graphs(sizes: list[int], *, seed: int = 0, max_nodes: int | None = None) -> GraphBatch:
    """Graphs over the vocabulary above with the given sizes."""
    generator = torch.Generator().manual_seed(seed)
    width = max_nodes or max(sizes)
    nodes = torch.randint(len(NODE_TYPES), (len(sizes), width), generator=generator)
    upper = torch.randint(len(EDGE_TYPES), (len(sizes), width, width), generator=generator).triu(1)
    graph = GraphBatch(nodes, upper + upper.mT, torch.tensor(sizes))
    return GraphBatch(nodes * graph.node_mask, graph.edges * graph.edge_mask, graph.num_nodes)


def pad_to(graphs: GraphBatch, max_nodes: int) -> GraphBatch:
    """The same graphs in a wider batch."""
    extra = max_nodes - graphs.max_nodes
    return GraphBatch(F.pad(graphs.nodes, (0, extra)), F.pad(graphs.edges, (0, extra, 0, extra)), graphs.num_nodes)


def permute(graphs: GraphBatch, order: torch.Tensor) -> GraphBatch:
    """The graphs with nodes renamed: new node i is old node `order[i]`. Real nodes must stay in front."""
    rows = torch.arange(len(graphs))[:, None]
    edges = graphs.edges[rows[:, :, None], order[:, :, None], order[:, None, :]]
    return GraphBatch(graphs.nodes[rows, order], edges, graphs.num_nodes)


def concatenate(first: GraphBatch, second: GraphBatch) -> GraphBatch:
    """One batch of all graphs in order, padded to the widest."""
    width = max(first.max_nodes, second.max_nodes)
    first, second = pad_to(first, width), pad_to(second, width)
    return GraphBatch(
        torch.cat([first.nodes, second.nodes]),
        torch.cat([first.edges, second.edges]),
        torch.cat([first.num_nodes, second.num_nodes]),
    )


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One for all tests that leave it running; each empties it first."""
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@dataclass(frozen=True)
class ShippedService:
    """`digress serve` with all shipped checkpoints, as a user starts it."""

    client: httpx2.Client
    process: subprocess.Popen[bytes]
    folder: Path
    """The current folder of the service."""


@pytest.fixture(scope="session")
def shipped_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedService]:
    """One for all tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("shipped")
    for name in ("app", "worker", "models"):
        (folder / f"{name}.py").write_text("raise SystemExit('this is not the package')")
    with stack(folder) as (client, process):
        yield ShippedService(client, process, folder)


@pytest.fixture(scope="session")
def qm9_folder() -> Path:
    return shipped_checkpoints() / "qm9"


@pytest.fixture(scope="session")
def qm9(qm9_folder: Path) -> tuple[ModelCard, Denoiser]:
    """The shipped checkpoint."""
    return load_checkpoint(qm9_folder)


@pytest.fixture(scope="session")
def qm9_model(qm9_folder: Path) -> LoadedModel:
    """The shipped checkpoint with its regressors."""
    return load_model(qm9_folder)


@pytest.fixture
def error_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., str]]:
    """What `digress` writes to standard error on a mistake. It runs in this process: starting one for each takes minutes."""

    def run(*arguments: str, status: int = 1, **variables: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["digress", *arguments])
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == status
        assert not list(tmp_path.iterdir()), "a file is left behind"
        return capsys.readouterr().err

    before = structlog.get_config()
    yield run
    # The command has bound it to a standard error that is closed now.
    structlog.configure(**before)
