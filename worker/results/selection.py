"""Which of the drawn graphs a request keeps, and which are drawn again.

This goes in rounds, so that the outcome depends on the request alone and not on which graph is finished first. Round 0 draws
every graph; each later round draws those that the filter rejected, from other seeds. Of equal graphs, the one that was kept in an
earlier round stays, and within a round the one with the lowest number. After `MAX_ROUNDS` the request goes without.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from app.schemas import AnyCompletedRequest, Graph, Trajectory
from models.card.card import ModelCard
from models.generation import Progress
from worker.encoding import encode
from worker.engine.job import EngineJob
from worker.plans import likeness_of
from worker.results.requirements import Requirement, requirements

MAX_ROUNDS = 10
_POLL_SECONDS = 0.25
# The first round's part in the progress of a filtered job.
_FIRST_ROUND = 0.9


class Selection:
    """The graphs of one request that are kept."""

    def __init__(self, required: Sequence[Requirement] = (), *, distinct: bool = False) -> None:
        self.kept: dict[int, Graph] = {}
        """By number."""
        self.trajectories: dict[int, Trajectory] = {}
        """Of the graph that was drawn last under each number, the kept ones among them; empty if no frames are kept."""
        self.num_drawn = 0
        """Graphs that were checked, in all rounds."""
        self.refused: Counter[str] = Counter()
        """Reason -> graphs that failed for it first, in all rounds."""
        self._required, self._distinct = required, distinct
        self._kept_smiles: set[str] = set()

    def progress(self, fraction: float, round_number: int, *, num_drawn: int) -> Progress:
        """The progress of the job when `fraction` of a round is done and `num_drawn` of its graphs are finished."""
        if not self._required and not self._distinct:
            return Progress(fraction, num_drawn)
        # Nobody knows how many rounds it takes; the first one draws most graphs.
        done = fraction * _FIRST_ROUND if round_number == 0 else _later_rounds(round_number - 1 + fraction)
        return Progress(done, len(self.kept))

    def keep_passing(self, drawn: Mapping[int, Graph]) -> list[int]:
        """Keep the graphs of a round that pass the filter, number -> graph; returns the numbers of the others."""
        self.num_drawn += len(drawn)
        rejected = []
        for number in sorted(drawn):
            reason = self._reason_against(drawn[number])
            if reason is None:
                self.kept[number] = drawn[number]
                self._kept_smiles.add(drawn[number].graph.get("smiles") or "")
            else:
                self.refused[reason] += 1
                rejected.append(number)
        return rejected

    def _reason_against(self, graph: Graph) -> str | None:
        failed = (required.reason for required in self._required if not required.holds(graph))
        repeated = self._distinct and graph.graph.get("smiles") in self._kept_smiles
        return next(failed, "unique" if repeated else None)


def selection_for(request: AnyCompletedRequest, card: ModelCard) -> Selection:
    """The selection by everything that a request requires of its graphs."""
    return Selection(list(requirements(request, card)), distinct=request.filter.unique)


def collect(
    job: EngineJob, selection: Selection, card: ModelCard, on_progress: Callable[[Progress], None]
) -> list[int]:
    """Draw and select, round after round; returns the numbers of the graphs that never passed.

    `on_progress` is called at least four times a second and may raise to stop. Then, too, finished graphs are selected.
    """
    left = list(range(job.request.num_graphs))
    likeness = likeness_of(job.request, card)
    for round_number in range(MAX_ROUNDS + 1):
        if round_number > 0:
            job.draw_again(left, round_number=round_number)
        drawn: dict[int, Graph] = {}
        try:
            while len(drawn) < len(left):
                if batch := job.next_batch(timeout=_POLL_SECONDS):
                    drawn |= encode(batch, card, likeness)
                    selection.trajectories |= job.trajectories(batch)
                on_progress(selection.progress(job.fraction, round_number, num_drawn=len(drawn)))
        finally:
            with suppress(Exception):  # what ended the drawing is being raised already
                while batch := job.next_batch(timeout=0):
                    drawn |= encode(batch, card, likeness)
                    selection.trajectories |= job.trajectories(batch)
            left = selection.keep_passing(drawn)
        if not left:
            break
    return left


def _later_rounds(done: float) -> float:
    return _FIRST_ROUND + (1 - _FIRST_ROUND) * done / MAX_ROUNDS
