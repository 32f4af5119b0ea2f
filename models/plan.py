"""What to draw: a request in the sampler's terms, with every default filled in."""

from dataclasses import dataclass

from models.card.config import Estimator, Grid, Sampler
from models.conditional import Goal
from models.diffusion.sampler import time_grid
from models.given.partial import PartialGraph


@dataclass(frozen=True)
class Near:
    """Graphs to begin with instead of noise, which graph after graph takes in turn."""

    graphs: tuple[PartialGraph, ...]
    """Known in all their nodes and pairs."""
    noise: float
    """t/T from which it is denoised: it is noised to there, and 0 gives it back."""


@dataclass(frozen=True)
class GenerationPlan:
    """What to draw, with every default filled in."""

    num_graphs: int
    min_nodes: int
    max_nodes: int
    seed: int
    sampler: Sampler
    grid: Grid
    num_steps: int
    goal: Goal | None = None
    eta: float = 0.0
    """Share of "renoise" in the sampler "mixed"."""
    given: tuple[PartialGraph, ...] = ()
    """Parts to draw around, which graph after graph takes in turn; nothing is given if there are none."""
    near: Near | None = None
    """The graph to begin with, if it is not noise."""
    spare: int = 0
    """How many graphs may be drawn beyond `num_graphs`, in place of some that are refused."""
    keep_frames: int = 0
    """How many frames to keep of every graph's trajectory; two or more include the noise and the clean graph."""

    def times(self, num_timesteps: int) -> list[int]:
        """The times that every graph goes through, from T, or where it begins near a graph, down to 0."""
        grid = time_grid(self.grid, self.num_steps, num_timesteps)
        if self.near is None:
            return grid
        first = max(1, round(self.near.noise * num_timesteps))
        return [first, *(t for t in grid if t < first)]

    def kept_steps(self, num_steps: int) -> list[int]:
        """After which of so many steps a frame is kept: evenly from 0, the noise, to the last; a single one is the last."""
        if self.keep_frames == 1:
            return [num_steps]
        apart = num_steps / max(self.keep_frames - 1, 1)
        return sorted({round(apart * frame) for frame in range(self.keep_frames)})

    @property
    def num_draws(self) -> int:
        """How many graphs may be drawn at most."""
        return self.num_graphs + self.spare

    @property
    def candidates(self) -> int:
        """Graphs drawn for each one that is kept."""
        return self.goal.candidates if self.goal else 1

    @property
    def estimator(self) -> Estimator | None:
        """How the guided step is found; None if graphs are not guided."""
        return self.goal.estimator if self.goal else None
