"""What was measured on a checkpoint, each with everything needed to measure it again."""

from typing import Annotated, Literal

from pydantic import Field

from models.card.config import Estimator, Grid, GuidanceConfig, Measure, Sampler, Section

# Which metrics say most: valid, unique and novel at once; of molecules, the distance to the data set's; of other graphs, the mean MMD ratio.
HEADLINE = ("vun", "valid", "unique", "molecule_stable", "fcd", "ratio")


# What is given of a test graph.
GivenKind = Literal["parts", "scaffolds", "formula", "near"]


class Measurement(Section):
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


class GivenMeasurement(Section):
    """How well what is given of test graphs is completed (`models.evaluation.given`), with everything needed to measure it again."""

    version: str
    kind: GivenKind
    num_sources: Annotated[int, Field(description="Test graphs of which something was given.")]
    num_graphs: Annotated[int, Field(description="Completions of all of them.")]
    sampler: Sampler
    eta: float | None
    grid: Grid
    num_steps: int
    seed: int
    command: str
    values: dict[str, float]

    @property
    def similarity(self) -> dict[float, float]:
        """t/T -> how like graphs are to one that was noised to there and denoised; empty unless that was measured."""
        prefix = "similarity_at_"
        return {float(name.removeprefix(prefix)): v for name, v in self.values.items() if name.startswith(prefix)}


class GuidanceMeasurement(Section):
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
