"""What to draw: a request in the sampler's terms, with every default filled in."""

from dataclasses import dataclass

from models.card.config import Estimator, Grid, Sampler
from models.conditional import Goal


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
    keep_frames: int = 0
    """How many frames to keep of every graph's trajectory; two or more include the noise and the clean graph."""

    @property
    def kept_steps(self) -> list[int]:
        """After how many steps a frame is kept: evenly from 0, the noise, to the last; a single one is the last."""
        if self.keep_frames == 1:
            return [self.num_steps]
        apart = self.num_steps / max(self.keep_frames - 1, 1)
        return sorted({round(apart * frame) for frame in range(self.keep_frames)})

    @property
    def candidates(self) -> int:
        """Graphs drawn for each one that is kept."""
        return self.goal.candidates if self.goal else 1

    @property
    def estimator(self) -> Estimator | None:
        """How the guided step is found; None if graphs are not guided."""
        return self.goal.estimator if self.goal else None
