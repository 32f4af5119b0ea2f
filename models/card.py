"""The model card: what a checkpoint is, what it can do, and how well it was measured to do it.

The card is the bridge between the trainer, which writes it, the API, which checks requests against it, and the
worker, which builds the network from it. It is plain data and knows neither torch nor RDKit.
"""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from models.files import written_whole

CARD_FILE = "card.json"
# A picture of the model's graphs and its measured quality (`digress plot NAME --save`).
PLOT_FILE = "plot.png"
# Which metrics say most: valid, unique and novel at once; of molecules, how near their like; of other graphs, the mean MMD ratio.
HEADLINE = ("vun", "valid", "unique", "molecule_stable", "fcd", "ratio")
MASK_TYPE = "mask"

Schedule = Literal["cosine", "linear"]
Prior = Literal["uniform", "marginal", "absorbing"]
Sampler = Literal["ancestral", "renoise", "mixed"]
Domain = Literal["molecule", "graph"]
Grid = Literal["uniform", "polydec"]
Estimator = Literal["proposals", "gradient"]
Measure = Literal["judge", "rdkit", "dft"]
RegressorRole = Literal["guide", "judge"]
# Graphs are computed in widths that are multiples of this, or the largest there is.
_SIZE_STEP = 16
Probability = Annotated[float, Field(ge=0, le=1)]
MODEL_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
ModelName = Annotated[str, StringConstraints(pattern=MODEL_NAME)]


class CardError(ValueError):
    """A checkpoint folder whose card is missing, unreadable or contradicts itself."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DiffusionConfig(_Section):
    """The forward process (`models.diffusion`)."""

    schedule: Schedule = "cosine"
    num_timesteps: Annotated[
        int, Field(ge=1, le=10_000, description="T: the last timestep of the forward process.")
    ] = 500
    prior: Prior = "marginal"
    min_timestep: Annotated[
        int,
        Field(
            ge=1,
            description="Earliest time the network is trained at and asked at; nearer to the clean graph it is asked as if at this one.",
        ),
    ] = 1

    @model_validator(mode="after")
    def _times_in_order(self) -> "DiffusionConfig":
        if self.min_timestep > self.num_timesteps:
            raise ValueError(f"min_timestep = {self.min_timestep} exceeds num_timesteps = {self.num_timesteps}")
        return self


class FeatureConfig(_Section):
    """Inputs computed from the noisy graph (`models.features`), beside its categories, t/T and its size."""

    random_walk_powers: Annotated[int, Field(ge=0, le=64)] = 8
    cycles: Annotated[bool, Field(description="Cycles of length 3 to 5, through each node and in all.")] = True
    six_cycles: Annotated[bool, Field(description="Cycles of length 6 in all.")] = False
    eigenvalues: Annotated[
        int,
        Field(
            ge=0,
            le=32,
            description="Lowest eigenvalues of the Laplacian, with their eigenvectors, the number of components and who is outside the largest.",
        ),
    ] = 0
    resistance: Annotated[
        bool, Field(description="Resistance distances: who hangs together, and which edges close a cycle.")
    ] = False
    molecular: bool = False


class NetworkConfig(_Section):
    """The graph transformer (`models.networks.graph_transformer`)."""

    num_layers: Annotated[int, Field(ge=1)] = 6
    num_heads: Annotated[int, Field(ge=1)] = 8
    node_width: Annotated[int, Field(ge=1)] = 128
    edge_width: Annotated[int, Field(ge=1)] = 32
    global_width: Annotated[int, Field(ge=1)] = 64
    node_hidden: Annotated[int, Field(ge=1)] = 256
    edge_hidden: Annotated[int, Field(ge=1)] = 64
    global_hidden: Annotated[int, Field(ge=1)] = 128
    triangle_width: Annotated[
        int, Field(ge=0, description="Channels in which a pair sees what joins its nodes by way of a third; costs n³.")
    ] = 0
    edge_attention: Literal["head", "channel"] = "head"
    edge_layout: Literal["pairs", "matrix"] = "pairs"
    residual: Literal["posterior", "one_hot"] = "posterior"

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> "NetworkConfig":
        if self.node_width % self.num_heads:
            raise ValueError(f"num_heads = {self.num_heads} must divide node_width = {self.node_width}")
        return self


class SamplingConfig(_Section):
    """What a request gets when it does not say otherwise, and the most it may ask for."""

    sampler: Sampler = "ancestral"
    grid: Grid = "polydec"
    num_steps: Annotated[int, Field(ge=1)] = 50
    eta: Annotated[Probability, Field(description="Share of 'renoise' in the sampler 'mixed'.")] = 0.2
    max_graphs: Annotated[int, Field(ge=1, description="Most graphs in one request.")] = 10_000


class GuidanceConfig(_Section):
    """How sampling is steered to property values (`models.diffusion.guidance`)."""

    estimator: Estimator = "proposals"
    scales: Annotated[
        dict[Estimator, Annotated[float, Field(ge=0)]],
        Field(description="λ of each estimator: 0 is no guidance, more is sharper; 1 is Bayes' rule for 'proposals'."),
    ] = {"proposals": 20.0, "gradient": 10.0}
    max_scale: Annotated[float, Field(gt=0, description="The most that a request may ask for.")] = 100.0
    num_proposals: Annotated[
        int, Field(ge=2, le=64, description="Graphs drawn at each step, of which one is kept; for 'proposals'.")
    ] = 8
    start: Annotated[Probability, Field(description="t/T from which on guidance acts.")] = 0.65
    stop: Annotated[Probability, Field(description="t/T below which it acts no more.")] = 0.02
    max_candidates: Annotated[int, Field(ge=1, description="Most candidates per graph in a request.")] = 64

    @model_validator(mode="after")
    def _in_order(self) -> "GuidanceConfig":
        if self.stop > self.start:
            raise ValueError(f"stop = {self.stop} must not exceed start = {self.start}: time runs backwards")
        if missing := set(get_args(Estimator)) - set(self.scales):
            raise ValueError(f"scales must give one for {', '.join(sorted(missing))} too")
        if max(self.scales.values()) > self.max_scale:
            raise ValueError(f"scales {self.scales} exceed max_scale = {self.max_scale}")
        return self


class WeightsFile(_Section):
    """A file beside the card, and the hash it must have."""

    file: Annotated[str, StringConstraints(pattern=r"^[\w.-]+\.safetensors$")] = "weights.safetensors"
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class TrainingRecord(_Section):
    """Where the weights come from: enough to train them again."""

    dataset: str
    dataset_sha256: Annotated[str | None, Field(description="Of a file of the user's own.")] = None
    split: str
    num_graphs: Annotated[int, Field(description="Graphs in the training split.")]
    preset: str
    seed: int
    gradient_steps: int
    recipe: Annotated[
        dict[str, JsonValue], Field(description="The training section of the preset, overrides included.")
    ]
    minutes: Annotated[float, Field(description="Time spent in training, by the clock that the recipe names.")]
    hardware: str
    code_version: str
    finished: Annotated[bool, Field(description="False while the learning rate had not yet decayed to its end.")]
    notes: list[str] = []


class Property(_Section):
    """A property that graphs can be steered to, and how well it is predicted."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
    unit: Annotated[str, Field(description="Empty for a number without unit.")]
    description: str
    mean: Annotated[float, Field(description="Over the graphs that its regressor learned from, as all that follows.")]
    std: Annotated[float, Field(gt=0)]
    min: float
    max: float
    spread: Annotated[float, Field(description="Mean absolute deviation from the median: the error of a blind guess.")]
    histogram: Annotated[
        list[int],
        Field(description="How many of these graphs lie in equal bins from `min` to `max`; empty if not counted."),
    ] = []
    mae: Annotated[
        dict[float, float],
        Field(description="t/T -> mean absolute error on the test split at that noise; 0 is the clean graph."),
    ] = {}


class RegressorCard(_Section):
    """A network that predicts properties of the clean graph from a noisy one (`models.networks.regressor`).

    A guide steers the sampler. A judge, trained on other graphs, only measures how well that worked.
    """

    name: ModelName
    role: RegressorRole = "guide"
    properties: Annotated[
        list[Property], Field(min_length=1, description="What it predicts, in the order of its outputs.")
    ]
    features: FeatureConfig = FeatureConfig()
    network: NetworkConfig = NetworkConfig()
    training: TrainingRecord
    weights: WeightsFile | None = None


class Measurement(_Section):
    """Metrics of one set of samples, with everything needed to measure them again."""

    version: Annotated[
        str | None,
        Field(description="Version of the checkpoint that was measured; null in cards that have not changed since."),
    ] = None
    num_graphs: int
    sampler: Sampler
    eta: Annotated[float | None, Field(description="Share of 'renoise' in 'mixed'; null for other samplers.")] = None
    grid: Grid
    num_steps: int
    seed: int
    command: str
    values: dict[str, float]

    @property
    def headline(self) -> dict[str, float]:
        """What to look at first, of the values."""
        return {name: self.values[name] for name in HEADLINE if name in self.values}


class GuidanceMeasurement(_Section):
    """How near guided graphs come to their targets, beside unguided ones, with all needed to measure it again."""

    version: Annotated[
        str | None,
        Field(description="Version of the checkpoint that was measured; null in cards that have not changed since."),
    ] = None
    properties: list[str]
    measure: Measure
    estimator: Estimator
    scale: float
    candidates: int
    num_graphs: Annotated[int, Field(description="Targets, each from a test molecule, with one graph each.")]
    guidance: Annotated[
        GuidanceConfig, Field(description="What the card said then: the window, the number of proposals.")
    ]
    sampler: Sampler
    grid: Grid
    num_steps: int
    seed: int
    command: str
    valid: float
    unique: Annotated[float, Field(description="Distinct ones among the valid.")]
    measured: Annotated[float, Field(description="Share of all graphs that the measure found a value for.")]
    mae: Annotated[dict[str, float], Field(description="Property -> mean absolute distance from its target.")]
    standard_error: dict[str, float]
    unguided_mae: dict[str, float]
    unguided_standard_error: dict[str, float]
    unguided_measured: float
    ratio: Annotated[float, Field(description="Mean of `mae` over mean of `unguided_mae`.")]


class ModelCard(_Section):
    """A checkpoint, described."""

    name: ModelName
    version: str
    description: str
    licence: str
    domain: Domain
    node_types: Annotated[list[str], Field(min_length=1)]
    edge_types: Annotated[list[str], Field(min_length=2, description="The first one means that there is no edge.")]
    node_marginals: Annotated[list[Probability], Field(description="Frequency of each node type in training.")]
    edge_marginals: Annotated[
        list[Probability], Field(description="Frequency of each edge type over all pairs in training.")
    ]
    size_distribution: Annotated[
        dict[int, Probability], Field(min_length=1, description="num_nodes -> its frequency in training.")
    ]
    max_nodes: Annotated[int, Field(ge=1)]
    diffusion: DiffusionConfig = DiffusionConfig()
    features: FeatureConfig = FeatureConfig()
    network: NetworkConfig = NetworkConfig()
    sampling: SamplingConfig = SamplingConfig()
    guidance: GuidanceConfig = GuidanceConfig()
    regressors: list[RegressorCard] = []
    training: TrainingRecord | None = None
    metrics: list[Measurement] = []
    guidance_metrics: list[GuidanceMeasurement] = []
    weights: WeightsFile | None = None

    @model_validator(mode="after")
    def _vocabulary_and_statistics_agree(self) -> "ModelCard":
        for what, types, marginals in (
            ("node", self.node_types, self.node_marginals),
            ("edge", self.edge_types, self.edge_marginals),
        ):
            if len(types) != len(marginals):
                raise ValueError(f"{len(types)} {what}_types but {len(marginals)} {what}_marginals; give one each")
            if len(set(types)) != len(types) or MASK_TYPE in types:
                raise ValueError(
                    f"{what}_types {types} must be distinct, and {MASK_TYPE!r} is kept for the absorbing prior"
                )
            if abs(sum(marginals) - 1) > 1e-3:
                raise ValueError(f"{what}_marginals must sum to 1, not {sum(marginals)}")
        if min(self.size_distribution) < 1 or max(self.size_distribution) > self.max_nodes:
            raise ValueError(
                f"sizes {sorted(self.size_distribution)} must lie between 1 and max_nodes = {self.max_nodes}"
            )
        if self.sampling.num_steps > self.diffusion.num_timesteps:
            raise ValueError(
                f"num_steps = {self.sampling.num_steps} exceeds num_timesteps = {self.diffusion.num_timesteps}"
            )
        return self

    @property
    def properties(self) -> dict[str, Property]:
        """What graphs can be steered to, by name."""
        guides = [regressor for regressor in self.regressors if regressor.role == "guide"]
        return {known.name: known for regressor in guides for known in regressor.properties}

    @property
    def unfinished(self) -> dict[str, TrainingRecord]:
        """The trainings that had not come to their end, of the model and of its regressors, by name."""
        trained = {self.name: self.training} | {regressor.name: regressor.training for regressor in self.regressors}
        return {name: record for name, record in trained.items() if record and not record.finished}

    @property
    def hydrogens_are_drawn(self) -> bool:
        """Whether the hydrogens of its molecules are nodes; otherwise each atom has as many as it lacks."""
        return "H" in self.node_types

    @property
    def judge(self) -> RegressorCard | None:
        """The regressor that measures, if there is one."""
        return next((regressor for regressor in self.regressors if regressor.role == "judge"), None)

    def with_regressor(self, regressor: RegressorCard) -> "ModelCard":
        """This card with a regressor added, in place of an earlier one of that name.

        What was measured with the earlier one, by it or of its guidance, goes with it.
        """
        others = [other for other in self.regressors if other.name != regressor.name]
        measured = [m for m in self.guidance_metrics if regressor.role == "judge" and m.measure != "judge"]
        return self.model_copy(update={"regressors": [*others, regressor], "guidance_metrics": measured})

    @property
    def quality(self) -> Measurement | None:
        """What was measured of this version by the card's own sampler, grid and number of steps, on the most samples."""
        own = self.sampling
        by_default = [
            measurement
            for measurement in self.metrics
            if (measurement.sampler, measurement.grid, measurement.num_steps) == (own.sampler, own.grid, own.num_steps)
            and measurement.eta in {None, own.eta}
            and measurement.version in {None, self.version}
        ]
        return max(by_default, key=lambda measurement: measurement.num_graphs, default=None)

    @property
    def min_nodes(self) -> int:
        """The size of the smallest graphs of the training."""
        return min(self.size_distribution)

    def sizes_between(self, smallest: int, largest: int) -> dict[int, float]:
        """The sizes that are drawn from a range and how often, up to a factor: as in training; all alike if it saw none of them."""
        sizes = range(smallest, largest + 1)
        seen = {size: self.size_distribution[size] for size in sizes if self.size_distribution.get(size)}
        return seen or dict.fromkeys(sizes, 1.0)

    def padded_size(self, num_nodes: int) -> int:
        """The width a graph is computed in: a function of its own size, so that batch mates do not matter even in rounding."""
        return min(-(-num_nodes // _SIZE_STEP) * _SIZE_STEP, max(self.max_nodes, num_nodes))

    def cost(self, num_nodes: int, estimator: Estimator | None) -> int:
        """Σ n² that a graph of this size adds to a step, as often as it is read."""
        return self.reads(estimator) * self.padded_size(num_nodes) ** 2

    def reads(self, estimator: Estimator | None) -> int:
        """How often a step puts a graph through a network, at the most; `estimator` is that of the guidance, if there is any."""
        match estimator:
            case "proposals":
                return 1 + self.guidance.num_proposals
            case "gradient":
                return 3  # there and back costs three times as much as there
            case None:
                return 1

    def with_measurement(self, measurement: Measurement) -> "ModelCard":
        """This card with a measurement added, in place of an earlier one by the same settings."""
        settings = {"version", "num_graphs", "sampler", "eta", "grid", "num_steps"}
        key = measurement.model_dump(include=settings)
        others = [other for other in self.metrics if other.model_dump(include=settings) != key]
        return self.model_copy(update={"metrics": [*others, measurement]})

    def with_guidance_measurement(self, measurement: GuidanceMeasurement) -> "ModelCard":
        """This card with a measurement of guidance added, in place of an earlier one by the same settings."""
        settings = {"version", "properties", "measure", "estimator", "scale", "candidates", "num_graphs", "guidance"}
        settings |= {"sampler", "grid", "num_steps"}
        key = measurement.model_dump(include=settings)
        others = [other for other in self.guidance_metrics if other.model_dump(include=settings) != key]
        return self.model_copy(update={"guidance_metrics": [*others, measurement]})

    @property
    def node_prior(self) -> list[float]:
        """What nodes become when all is forgotten; one entry more than `node_types` if the prior is absorbing."""
        return _prior(self.diffusion.prior, self.node_marginals)

    @property
    def edge_prior(self) -> list[float]:
        """What pairs become when all is forgotten; one entry more than `edge_types` if the prior is absorbing."""
        return _prior(self.diffusion.prior, self.edge_marginals)


def _prior(kind: Prior, marginals: list[float]) -> list[float]:
    match kind:
        case "uniform":
            return [1 / len(marginals)] * len(marginals)
        case "marginal":
            return list(marginals)
        case "absorbing":
            return [0.0] * len(marginals) + [1.0]


def read_card(folder: Path) -> ModelCard:
    """The card of a checkpoint folder.

    Raises:
        CardError: if there is none, it is not a card, or it is called otherwise than its folder.
    """
    path = folder / CARD_FILE
    try:
        card = ModelCard.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CardError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CardError(f"{path} is not a model card: {error}") from error
    if card.name != folder.name:
        raise CardError(f"{path} describes {card.name!r}, but its folder is called {folder.name!r}; rename one of them")
    return card


def write_card(card: ModelCard, folder: Path) -> None:
    """Write `card` into its checkpoint folder; the file appears whole or not at all."""
    text = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)
    with written_whole(folder / CARD_FILE) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def change_card(folder: Path, change: Callable[[ModelCard], ModelCard]) -> None:
    """Read the card of a checkpoint folder, and write what `change` makes of it; changes wait for each other.

    Raises:
        CardError: if there is no card to change.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        write_card(change(read_card(folder)), folder)
    finally:
        os.close(descriptor)


def shipped_checkpoints() -> Path:
    """The folder of the checkpoints that come with this package."""
    return Path(__file__).parent / "checkpoints"


def checkpoint_names(root: Path) -> list[str]:
    """Names of the checkpoint folders below `root`; folders without a card are passed over.

    Raises:
        CardError: if `root` is not a folder, or there is none below it.
    """
    if not root.is_dir():
        raise CardError(f"{root} is not a folder; it should hold one folder per checkpoint")
    names = sorted(folder.name for folder in root.iterdir() if (folder / CARD_FILE).is_file())
    if not names:
        hint = f"give its parent, {root.parent}" if (root / CARD_FILE).is_file() else "is a training only just begun?"
        raise CardError(f"{root} holds no checkpoint folder; {hint}")
    return names


def read_cards(root: Path) -> dict[str, ModelCard]:
    """All cards below `root`, by name.

    Raises:
        CardError: if `root` holds no checkpoint folder, or a card in it is broken.
    """
    return {name: read_card(root / name) for name in checkpoint_names(root)}
