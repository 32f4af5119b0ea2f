"""The wire format: what goes over HTTP, and what API and worker tell each other through Redis.

Requests refuse unknown fields, and numbers written as strings. Responses give every field, absent ones as null.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    HttpUrl,
    StrictBool,
    StrictInt,
    StrictStr,
    Tag,
    model_validator,
)
from pydantic.config import JsonDict

from models.card.config import Descriptor, Estimator, Sampler

JobKind = Literal["unconditional", "conditional"]
MAX_SEED = 2**53 - 1
MAX_GRAPHS = 10_000
MAX_FRAMES = 1_000

_SMALLEST_REQUEST: JsonDict = {"model": "qm9", "num_graphs": 16, "seed": 7}
_FILTERED_REQUEST: JsonDict = {
    **_SMALLEST_REQUEST,
    "num_graphs": 4,
    "filter": {"valid": True, "contains": ["[OX2H]"], "properties": {"logp": {"max": 1}}, "diverse": 0.2},
    "descriptors": True,
}
_COMPLETED_REQUEST: JsonDict = {**_SMALLEST_REQUEST, "sampler": "mixed", "num_steps": 50}
_SMALLEST_CONDITIONAL: JsonDict = {**_SMALLEST_REQUEST, "targets": {"mu": 2.5, "homo": -6.2}}
_COMPLETED_CONDITIONAL: JsonDict = {
    **_SMALLEST_CONDITIONAL,
    **_COMPLETED_REQUEST,
    "guidance_scale": 20.0,
    "estimator": "proposals",
}


class JobStatus(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        """Whether the job will not change any more."""
        return self in {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED}


class Priority(StrEnum):
    """Whose turn comes more often; none waits for ever."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def weight(self) -> int:
        """Its share of the workers, beside the others'."""
        return {Priority.HIGH: 16, Priority.NORMAL: 4, Priority.LOW: 1}[self]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Of a StrictInt: JSON has one kind of number, so 3.0 is 3, and some clients write it so.
_WHOLE = BeforeValidator(_whole)


class SizeRange(BaseModel):
    """Sizes that graphs may have, both ends included."""

    model_config = ConfigDict(extra="forbid")

    min: Annotated[StrictInt, Field(ge=1), _WHOLE]
    max: Annotated[StrictInt, Field(ge=1), _WHOLE]

    @model_validator(mode="after")
    def _in_order(self) -> "SizeRange":
        if self.min > self.max:
            raise ValueError(f"min = {self.min} must not exceed max = {self.max}")
        return self


class Bounds(BaseModel):
    """Values that a property may have, both ends included; a missing end is open."""

    model_config = ConfigDict(extra="forbid")

    min: Annotated[float | None, Field(strict=True, allow_inf_nan=False)] = None
    max: Annotated[float | None, Field(strict=True, allow_inf_nan=False)] = None

    @model_validator(mode="after")
    def _in_order(self) -> "Bounds":
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min = {self.min:g} must not exceed max = {self.max:g}")
        return self

    def __contains__(self, value: float) -> bool:
        return (self.min is None or self.min <= value) and (self.max is None or value <= self.max)


class SimilarityBounds(Bounds):
    """How like molecules may be to a reference: Tanimoto similarity of Morgan fingerprints, from 0 to 1."""

    smiles: Annotated[StrictStr, Field(min_length=1, max_length=1_000, examples=["CC(O)C1CC1C=O"])]


_Pattern = Annotated[StrictStr, Field(min_length=1, max_length=500)]
_PATTERNS = Field(max_length=16, examples=[["[OX2H]"]])


class GraphFilter(BaseModel):
    """Conditions on the returned graphs; others are drawn in place of those that fail, as long as there is hope."""

    model_config = ConfigDict(extra="forbid")

    valid: Annotated[
        StrictBool,
        Field(
            description="Only molecules that RDKit can sanitise, or graphs that follow the rule of the model's card."
        ),
    ] = False
    unique: Annotated[StrictBool, Field(description="No valid molecule twice in one job.")] = False
    connected: Annotated[StrictBool, Field(description="Only connected graphs.")] = False
    stable: Annotated[
        StrictBool,
        Field(
            description="Only molecules whose atoms all have as many bonds as they should; for models that draw hydrogens."
        ),
    ] = False
    contains: Annotated[
        list[_Pattern],
        _PATTERNS,
        Field(description="Parts that each molecule must contain, as SMARTS. Hydrogens are counted, not drawn: [OH]."),
    ] = []
    lacks: Annotated[
        list[_Pattern], _PATTERNS, Field(description="Parts that no molecule may contain, as SMARTS.")
    ] = []
    properties: Annotated[
        dict[Descriptor, Bounds],
        Field(
            description="Property -> values that it may have, as RDKit computes it.",
            examples=[{"logp": {"min": 1, "max": 3}, "sa": {"max": 4}}],
        ),
    ] = {}
    similarity: Annotated[SimilarityBounds | None, Field(description="How like molecules may be to a reference.")] = (
        None
    )
    diverse: Annotated[
        float | None,
        Field(
            strict=True, gt=0, le=1, description="No two molecules of a job nearer than this: 1 less their similarity."
        ),
    ] = None


class Given(BaseModel):
    """What every graph must contain; the rest is drawn."""

    model_config = ConfigDict(extra="forbid")

    smiles: Annotated[
        StrictStr | None,
        Field(
            min_length=1,
            max_length=1_000,
            description="A part to keep. `*` marks the atoms where the rest may attach; without any it may attach wherever there is "
            "a hydrogen. A dot separates parts to be linked.",
            examples=["c1ccccc1*"],
        ),
    ] = None
    formula: Annotated[
        StrictStr | None,
        Field(
            min_length=1,
            max_length=100,
            description="The atoms of the whole molecule: 'C7NO2' fixes the heavy atoms, 'C7H9NO2' the hydrogens too.",
            examples=["C7H9NO2"],
        ),
    ] = None
    graph: Annotated[
        dict[str, Any] | None,
        Field(
            description="A part in node-link form, for every model. A node whose type is null may have any. Pairs of its nodes that no "
            'edge names stay apart, unless it has `"open": true`. A node with `"closed": true` gets no further edge.'
        ),
    ] = None

    @model_validator(mode="after")
    def _something(self) -> "Given":
        if self.smiles is None and self.formula is None and self.graph is None:
            raise ValueError("give a part as smiles or graph, or a formula, or leave it out")
        if self.smiles is not None and self.graph is not None:
            raise ValueError("give the part as smiles or as graph, not both")
        return self


class Near(BaseModel):
    """A graph to begin with instead of noise: the answers are like it."""

    model_config = ConfigDict(extra="forbid")

    smiles: Annotated[StrictStr | None, Field(min_length=1, max_length=1_000, examples=["CC(O)C1CC1C=O"])] = None
    graph: Annotated[dict[str, Any] | None, Field(description="In node-link form, for every model.")] = None
    strength: Annotated[
        float,
        Field(
            strict=True,
            ge=0,
            le=1,
            description="Share of the similarity that is lost, on average: 0 gives the graph back, 1 gives strangers.",
        ),
    ] = 0.3
    unchanged: Annotated[
        StrictBool, Field(description="Whether the graph itself may be among the answers; otherwise it is drawn again.")
    ] = False

    @model_validator(mode="after")
    def _one(self) -> "Near":
        if (self.smiles is None) == (self.graph is None):
            raise ValueError("give the graph as smiles or as graph, one of both")
        return self


def _number_or_range(value: object) -> str | None:
    if isinstance(value, dict | SizeRange):
        return "[range]"
    return "[number]" if isinstance(value, int | float) else None


# Tags in brackets keep an error's location free of alternatives that the caller did not choose.
# A whole number will do, but neither a string nor an infinity.
TargetValue = Annotated[float, Field(strict=True, allow_inf_nan=False)]

NumNodes = Annotated[
    Annotated[StrictInt, Field(ge=1), _WHOLE, Tag("[number]")] | Annotated[SizeRange, Tag("[range]")],
    Discriminator(
        _number_or_range,
        custom_error_type="number_or_range",
        custom_error_message='give a whole number, like 9, or a range, like {"min": 5, "max": 9}',
    ),
]


class GenerateRequest(BaseModel):
    """What to generate. Only `model` is needed; null takes the default of the model's card."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_SMALLEST_REQUEST, _FILTERED_REQUEST]})

    model: Annotated[StrictStr, Field(description="Name of a model that GET /models lists.")]
    num_graphs: Annotated[StrictInt, Field(ge=1, le=MAX_GRAPHS), _WHOLE] = 1
    num_nodes: Annotated[NumNodes | None, Field(description="A number, a range, or null: sizes as in training.")] = None
    seed: Annotated[
        StrictInt | None,
        Field(ge=0, le=MAX_SEED, description="The same seed gives the same graphs; null draws one and reports it."),
        _WHOLE,
    ] = None
    sampler: Sampler | None = None
    num_steps: Annotated[StrictInt | None, Field(ge=1, description="Fewer is faster, more is better."), _WHOLE] = None
    given: Annotated[Given | None, Field(description="What every graph must contain; the rest is drawn.")] = None
    near: Annotated[Near | None, Field(description="A graph that the answers are like.")] = None
    filter: Annotated[
        GraphFilter,
        Field(
            description="Conditions on the graphs; others are drawn in place of those that fail, ten for each at most."
        ),
    ] = GraphFilter()
    descriptors: Annotated[
        StrictBool, Field(description="Whether valid molecules come with their properties, as RDKit computes them.")
    ] = False
    keep_frames: Annotated[
        StrictInt,
        Field(ge=0, le=200, description="Frames to keep of each graph's trajectory; at most 1,000 in a job."),
        _WHOLE,
    ] = 0
    webhook: Annotated[
        HttpUrl | None,
        Field(description="URL notified by a signed POST when the job ends; retried for about an hour."),
    ] = None
    priority: Annotated[
        Priority,
        Field(description="Share of the workers: 'high' has 16, 'normal' 4 and 'low' 1; no job waits for ever."),
    ] = Priority.NORMAL

    kind: ClassVar[JobKind] = "unconditional"

    def size_range(self, max_nodes: int) -> range:
        """The numbers of nodes that it allows, of a model whose graphs have up to `max_nodes`."""
        sizes = self.num_nodes or SizeRange(min=1, max=max_nodes)
        return range(sizes, sizes + 1) if isinstance(sizes, int) else range(sizes.min, sizes.max + 1)


class CompletedRequest(GenerateRequest):
    """A request with every default filled in: it determines the graphs."""

    model_config = ConfigDict(json_schema_extra={"examples": [_COMPLETED_REQUEST]})

    seed: int
    sampler: Sampler
    num_steps: int

    # Fields of a conditional request; without targets, graphs are not guided and each is drawn once.
    targets: ClassVar[dict[str, float]] = {}
    guidance_scale: ClassVar[float] = 0.0
    estimator: ClassVar[Estimator | None] = None
    candidates: ClassVar[int] = 1


class ConditionalRequest(GenerateRequest):
    """What to generate, and near which property values."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_SMALLEST_CONDITIONAL]})

    targets: Annotated[
        dict[StrictStr, TargetValue],
        Field(min_length=1, description="Property -> wanted value in its unit; the model's card lists the properties."),
    ]
    guidance_scale: Annotated[
        TargetValue | None,
        Field(ge=0, description="How strongly to steer; 0 is not at all. High values reduce variety and validity."),
    ] = None
    estimator: Annotated[Estimator | None, Field(description="How to guide; 'gradient' is DiGress's own.")] = None
    candidates: Annotated[
        StrictInt,
        Field(ge=1, description="Graphs drawn for each one returned: the one predicted nearest is kept."),
        _WHOLE,
    ] = 1

    kind: ClassVar[JobKind] = "conditional"


class CompletedConditionalRequest(ConditionalRequest):
    """A conditional request with every default filled in: it determines the graphs."""

    model_config = ConfigDict(json_schema_extra={"examples": [_COMPLETED_CONDITIONAL]})

    seed: int
    sampler: Sampler
    num_steps: int
    guidance_scale: float
    estimator: Estimator


AnyCompletedRequest = CompletedConditionalRequest | CompletedRequest


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str
    detail: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []


class Graph(BaseModel):
    """A graph in networkx's node-link form: `networkx.node_link_graph(graph, edges="edges")` reads it as it is.

    `graph` holds `model`, `seed`, for molecules `smiles` (null if not valid) and `valid`, and if the request had targets
    `properties`, as the model's regressor predicts them, and `property_errors`, the errors it expects to make. If it had `near`,
    `similarity` to that graph, from 0 to 1, and `unchanged`. If it asked for `descriptors`, valid molecules have them. A node has `id` and `type`, an atom also `element` and `charge`, and one
    that was given `"given": true`; an edge has `source`, `target` and `type`.
    """

    directed: bool = False
    multigraph: bool = False
    graph: dict[str, Any]
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]


class Frame(BaseModel):
    """A graph during denoising: node-link as `Graph`, with types only."""

    step: Annotated[int, Field(description="Denoising steps done; 0 is pure noise.")]
    t: Annotated[int, Field(description="Timestep, from the model's number of timesteps down to 0, the clean graph.")]
    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]


class Trajectory(BaseModel):
    """The frames of a graph, from noise to the result."""

    frames: list[Frame]


class JobProgress(BaseModel):
    """How far a job is."""

    fraction: Annotated[float, Field(ge=0, le=1)]
    graphs_done: int
    num_graphs: int
    position: Annotated[int | None, Field(description="Jobs ahead in the queue; null once the job has started.")] = None
    eta_seconds: Annotated[
        float | None,
        Field(description="Expected seconds until the job ends, by the workers' recent speed; null if unknown."),
    ] = None


class JobSummary(BaseModel):
    """Counts over a job's graphs; those about molecules are null for other graphs, and `valid` for a model whose card names no rule."""

    num_graphs: int
    short: Annotated[int, Field(description="Missing graphs: no draw of them passed the filter.")] = 0
    note: Annotated[str | None, Field(description="Why graphs are missing, in words; null if all are there.")] = None
    drawn: Annotated[int | None, Field(description="Graphs drawn in all rounds, each candidate for a place once.")] = (
        None
    )
    refused: Annotated[
        dict[str, int],
        Field(
            description="Reason -> graphs that were drawn and refused for it: a condition of `filter`, 'formula', 'unchanged'."
        ),
    ] = {}
    valid: int | None = None
    valid_and_connected: int | None = None
    unique: Annotated[int | None, Field(description="Distinct molecules among the valid ones.")] = None
    candidates: Annotated[
        int | None,
        Field(description="Graphs drawn, in all rounds, of which `num_graphs` were kept; null without targets."),
    ] = None
    predicted_error: Annotated[
        dict[str, float] | None,
        Field(
            description="Target -> mean absolute difference between it and the predicted property of the valid graphs."
        ),
    ] = None
    seconds: Annotated[float, Field(description="Computing time of the worker.")]


class JobLinks(BaseModel):
    """Where to go from a job."""

    self: str
    events: Annotated[str, Field(description="Its events, as server-sent events.")]
    graphs: Annotated[str, Field(description="Its graphs in pages or as JSON lines, once it has ended.")]
    model: str


class GraphPage(BaseModel):
    """Some of a job's graphs, in their order."""

    graphs: list[Graph]
    next: Annotated[str | None, Field(description="Path of the next page; null on the last one.")]


class Job(BaseModel):
    """A generation: asked for, under way, or done."""

    id: str
    status: JobStatus
    model: str
    kind: JobKind
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: Annotated[datetime | None, Field(description="Set once the job has ended.")]
    request: AnyCompletedRequest
    progress: JobProgress
    summary: JobSummary | None
    error: Problem | None
    graphs: Annotated[
        list[Graph] | None,
        Field(description="Null until the job has ended, or if over 8 MB; `links.graphs` gives them then."),
    ]
    links: JobLinks


class JobPage(BaseModel):
    """Some of the jobs, the newest first, without their graphs."""

    jobs: list[Job]
    next: Annotated[str | None, Field(description="Path of the next page; null on the last one.")]


_Numbers = Annotated[list[Annotated[StrictInt, Field(ge=0, le=MAX_GRAPHS), _WHOLE]], Field(max_length=1_000)]


class PartRequest(BaseModel):
    """A molecule or graph, and which of it to keep. Nodes are numbered from 0 as they stand there, less `*` and hydrogens."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"smiles": "CC", "keep": [0]}]})

    smiles: Annotated[StrictStr | None, Field(min_length=1, max_length=1_000, examples=["c1ccccc1*"])] = None
    graph: Annotated[dict[str, Any] | None, Field(description="In node-link form, for every model.")] = None
    keep: Annotated[_Numbers | None, Field(description="Nodes that are kept; null keeps all.")] = None
    open: Annotated[_Numbers, Field(description="Nodes to open: the rest may attach there.")] = []
    closed: Annotated[_Numbers, Field(description="Nodes to close.")] = []
    size: Annotated[
        StrictInt, Field(ge=64, le=2_048, description="Width and height of the picture, in pixels."), _WHOLE
    ] = 320
    theme: Annotated[Literal["light", "dark"], Field(description="Background that the picture is made for.")] = "light"

    @model_validator(mode="after")
    def _one(self) -> "PartRequest":
        if (self.smiles is None) == (self.graph is None):
            raise ValueError("give it as smiles or as graph, one of both")
        return self


class PartNode(BaseModel):
    """A node in the picture of a part."""

    type: str
    x: Annotated[float, Field(description="Pixels from the left.")]
    y: Annotated[float, Field(description="Pixels from the top.")]
    kept: bool
    open: Annotated[bool, Field(description="Whether the rest may attach there.")]
    can_open: bool


class Part(BaseModel):
    """A part as `given` takes it, and its picture."""

    smiles: Annotated[str | None, Field(description="For `given.smiles`; null for graphs that are no molecules.")]
    graph: Annotated[dict[str, Any] | None, Field(description="For `given.graph`, of graphs that are no molecules.")]
    problem: Annotated[
        str | None, Field(description="Why the model can draw nothing around this part; null if it can.")
    ]
    nodes: list[PartNode]
    svg: Annotated[str, Field(description="The whole with the kept part highlighted, and a ring about each open node.")]


class Health(BaseModel):
    """Whether the service can do its work."""

    status: Literal["ok", "unavailable"]
    redis: bool | None = None
    workers: int | None = None
