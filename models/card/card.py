"""The model card: what a checkpoint is, what it can do, and how well it was measured to do it.

The card is the bridge between the trainer, which writes it, the API, which checks requests against it, and the
worker, which builds the network from it. It is plain data and knows neither torch nor RDKit.
"""

from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints, model_validator

from models.card.config import (
    MASK_TYPE,
    DiffusionConfig,
    Domain,
    FeatureConfig,
    GuidanceConfig,
    ModelName,
    NetworkConfig,
    Prior,
    Probability,
    RegressorRole,
    SamplingConfig,
    Section,
    Validity,
)
from models.card.measurements import GivenMeasurement, GuidanceMeasurement, Measurement

# What a card may say. The API goes through sizes and types in every request, and a graph of n nodes has n² pairs.
MAX_NODES = 4_096
_MAX_TYPES = 1_024
_MAX_ENTRIES = 1_024
Text = Annotated[str, StringConstraints(max_length=2_000)]
Label = Annotated[str, StringConstraints(max_length=100)]


class WeightsFile(Section):
    """A file beside the card, and the hash it must have."""

    file: Annotated[str, StringConstraints(pattern=r"^[\w.-]+\.safetensors$")] = "weights.safetensors"
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class TrainingRecord(Section):
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


class Property(Section):
    """A property that graphs can be steered to, and how well it is predicted."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]
    unit: Annotated[Label, Field(description="Empty for a number without unit.")]
    description: Text
    mean: Annotated[float, Field(description="Over the graphs that its regressor learned from, as all that follows.")]
    std: Annotated[float, Field(gt=0)]
    min: float
    max: float
    spread: Annotated[float, Field(description="Mean absolute deviation from the median: the error of a blind guess.")]
    histogram: Annotated[
        list[int],
        Field(
            max_length=_MAX_ENTRIES,
            description="How many of these graphs lie in equal bins from `min` to `max`; empty if not counted.",
        ),
    ] = []
    mae: Annotated[
        dict[float, float],
        Field(description="t/T -> mean absolute error on the test split at that noise; 0 is the clean graph."),
    ] = {}


class RegressorCard(Section):
    """A network that predicts properties of the clean graph from a noisy one (`models.networks.regressor`).

    A guide steers the sampler. A judge, trained on other graphs, only measures how well that worked.
    """

    name: ModelName
    role: RegressorRole = "guide"
    properties: Annotated[
        list[Property],
        Field(min_length=1, max_length=_MAX_ENTRIES, description="What it predicts, in the order of its outputs."),
    ]
    features: FeatureConfig = FeatureConfig()
    network: NetworkConfig = NetworkConfig()
    training: TrainingRecord
    weights: WeightsFile | None = None


class ModelCard(Section):
    """A checkpoint, described."""

    name: ModelName
    version: Label
    description: Text
    licence: Text
    domain: Domain
    node_types: Annotated[list[Label], Field(min_length=1, max_length=_MAX_TYPES)]
    edge_types: Annotated[
        list[Label],
        Field(min_length=2, max_length=_MAX_TYPES, description="The first one means that there is no edge."),
    ]
    node_marginals: Annotated[list[Probability], Field(description="Frequency of each node type in training.")]
    edge_marginals: Annotated[
        list[Probability], Field(description="Frequency of each edge type over all pairs in training.")
    ]
    size_distribution: Annotated[
        dict[int, Probability],
        Field(min_length=1, max_length=MAX_NODES, description="num_nodes -> its frequency in training."),
    ]
    max_nodes: Annotated[int, Field(ge=1, le=MAX_NODES)]
    validity: Annotated[
        Validity | None,
        Field(
            description="The rule that its graphs are to follow; null for molecules, which RDKit judges, or if there is none."
        ),
    ] = None
    diffusion: DiffusionConfig = DiffusionConfig()
    features: FeatureConfig = FeatureConfig()
    network: NetworkConfig = NetworkConfig()
    sampling: SamplingConfig = SamplingConfig()
    guidance: GuidanceConfig = GuidanceConfig()
    regressors: Annotated[list[RegressorCard], Field(max_length=_MAX_ENTRIES)] = []
    training: TrainingRecord | None = None
    metrics: Annotated[list[Measurement], Field(max_length=_MAX_ENTRIES)] = []
    guidance_metrics: Annotated[list[GuidanceMeasurement], Field(max_length=_MAX_ENTRIES)] = []
    given_metrics: Annotated[list[GivenMeasurement], Field(max_length=_MAX_ENTRIES)] = []
    weights: WeightsFile | None = None

    @model_validator(mode="after")
    def _molecules_have_no_other_rule(self) -> "ModelCard":
        if self.domain == "molecule" and self.validity is not None:
            raise ValueError(f"validity = {self.validity!r}, but RDKit says which molecules are valid; leave it out")
        return self

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
    def knows_validity(self) -> bool:
        """Whether each of its graphs is said to be valid or not."""
        return self.domain == "molecule" or self.validity is not None

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

    def with_given_measurement(self, measurement: GivenMeasurement) -> "ModelCard":
        """This card with a measurement of what is given added, in place of an earlier one by the same settings."""
        settings = {"version", "kind", "num_sources", "num_graphs", "sampler", "eta", "grid", "num_steps"}
        key = measurement.model_dump(include=settings)
        others = [other for other in self.given_metrics if other.model_dump(include=settings) != key]
        return self.model_copy(update={"given_metrics": [*others, measurement]})

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
