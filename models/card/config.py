"""The settings in a card: the forward process, the features, the network, how to sample and how to guide."""

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MASK_TYPE = "mask"


Schedule = Literal["cosine", "linear"]


Prior = Literal["uniform", "marginal", "absorbing"]


Sampler = Literal["ancestral", "renoise", "mixed"]


Domain = Literal["molecule", "graph"]


Grid = Literal["uniform", "polydec"]


Estimator = Literal["proposals", "gradient"]


Measure = Literal["judge", "rdkit", "dft"]


# What RDKit computes from a molecule alone (`models.descriptors`).
Descriptor = Literal["mw", "logp", "qed", "tpsa", "hbd", "hba", "rotatable_bonds", "rings", "sa", "heavy_atoms"]


# The rule that a family's graphs follow (`models.rules.validity`).
Validity = Literal["planar", "tree", "sbm", "connected"]


RegressorRole = Literal["guide", "judge"]


Probability = Annotated[float, Field(ge=0, le=1)]


MODEL_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"


ModelName = Annotated[str, StringConstraints(pattern=MODEL_NAME)]


class Section(BaseModel):
    """A part of a card: frozen, and without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DiffusionConfig(Section):
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
            description="Smallest t that the network is trained and evaluated at; a smaller t is raised to this one.",
        ),
    ] = 1

    @model_validator(mode="after")
    def _times_in_order(self) -> "DiffusionConfig":
        if self.min_timestep > self.num_timesteps:
            raise ValueError(f"min_timestep = {self.min_timestep} exceeds num_timesteps = {self.num_timesteps}")
        return self


class FeatureConfig(Section):
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


class NetworkConfig(Section):
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
    reads_given: Annotated[
        bool,
        Field(
            description="Whether it was trained with parts given: nodes and pairs that are clean at every t, and flagged to it."
        ),
    ] = False

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> "NetworkConfig":
        if self.node_width % self.num_heads:
            raise ValueError(f"num_heads = {self.num_heads} must divide node_width = {self.node_width}")
        return self


class SamplingConfig(Section):
    """What a request gets when it does not say otherwise, and the most it may ask for."""

    sampler: Sampler = "ancestral"
    grid: Grid = "polydec"
    num_steps: Annotated[int, Field(ge=1)] = 50
    eta: Annotated[Probability, Field(description="Share of 'renoise' in the sampler 'mixed'.")] = 0.2
    max_graphs: Annotated[int, Field(ge=1, description="Most graphs in one request.")] = 10_000


class GuidanceConfig(Section):
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
