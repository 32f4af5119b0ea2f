"""Which of the drawn graphs a request keeps, and how many more are drawn for those that it refuses.

Graphs are numbered as they are drawn, 0, 1, 2, …, as those of a larger request would be. A request for n keeps the first n that
pass, in the order of their numbers. So the outcome depends on the request alone: neither on which graph is finished first nor on
how many are drawn at once.

They are drawn in rounds. Round 0 draws n. A later one draws as many as the last one's acceptance lets expect to be enough,

    m / a    with    a = (passed + ½) / (drawn + ½)    and m the graphs that are missing,

so that a hard filter takes a few large rounds and not many small ones. After `worker.plans.most_draws` the request goes without.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from app.schemas import AnyCompletedRequest, Graph, Trajectory
from models.card.card import ModelCard
from models.generation import Progress
from worker.encoding import encode
from worker.engine.job import EngineJob
from worker.plans import likeness_of, most_draws
from worker.results.description import described
from worker.results.requirements import Requirement, requirements
from worker.results.variety import Variety, varieties

_POLL_SECONDS = 0.25
# The first round's part in the progress of a filtered job.
_FIRST_ROUND = 0.9


class Selection:
    """The graphs of one request that are kept."""

    def __init__(
        self,
        required: Sequence[Requirement],
        varieties: Sequence[Variety],
        *,
        num_graphs: int,
        most_draws: int,
        describes: bool = False,
    ) -> None:
        self.kept: dict[int, Graph] = {}
        """By number."""
        self.trajectories: dict[int, Trajectory] = {}
        """By number; empty if no frames are kept. Those of a round's refused graphs are here until it ends."""
        self.num_drawn = 0
        """Graphs that were drawn, in all rounds."""
        self.refused: Counter[str] = Counter()
        """Reason -> graphs that failed for it first, in all rounds."""
        self._required, self._varieties = required, varieties
        self._num_graphs, self._most_draws, self._describes = num_graphs, most_draws, describes
        self._acceptance = 1.0
        # Of the graphs of this round: the reason against each, or the graph.
        self._examined: dict[int, Graph | str] = {}

    @property
    def num_missing(self) -> int:
        """Graphs that are still to be found."""
        return self._num_graphs - len(self.kept)

    @property
    def num_examined(self) -> int:
        """Graphs of this round that have been examined."""
        return len(self._examined)

    def next_numbers(self) -> range:
        """What to draw next; nothing if all graphs are there, or no more may be drawn."""
        if self.num_drawn == 0:
            return range(self._num_graphs)
        expected = math.ceil(self.num_missing / self._acceptance)
        return range(self.num_drawn, min(self.num_drawn + expected, self._most_draws))

    def progress(self, fraction: float, numbers: range) -> Progress:
        """The progress of the job when `fraction` of a round is done."""
        if not self._required and not self._varieties:
            return Progress(fraction, len(self._examined))
        if numbers.start == 0:
            return Progress(fraction * _FIRST_ROUND, len(self.kept))
        # Nobody knows how many more it takes.
        spare = (numbers.start + fraction * len(numbers) - self._num_graphs) / (self._most_draws - self._num_graphs)
        return Progress(_FIRST_ROUND + (1 - _FIRST_ROUND) * spare, len(self.kept))

    def examine(self, number: int, graph: Graph) -> None:
        """Hold a graph of this round, which may be finished in any order, against the conditions on single graphs."""
        reason = next((required.reason for required in self._required if not required.holds(graph)), None)
        self._examined[number] = reason or (described(graph) if self._describes else graph)

    def examine_all(self, graphs: Iterable[tuple[int, Graph]]) -> None:
        """`examine` each of these."""
        for number, graph in graphs:
            self.examine(number, graph)

    def end_round(self) -> None:
        """Keep the examined graphs that pass, in the order of their numbers, until all are there."""
        passed_before, refused_before = len(self.kept), self.refused.total()
        self.num_drawn += len(self._examined)
        for number, examined in sorted(self._examined.items()):
            if self.num_missing == 0:
                break
            reason = examined if isinstance(examined, str) else self._reason_beside_the_kept(examined)
            if reason is not None:
                self.refused[reason] += 1
            elif isinstance(examined, Graph):
                self.kept[number] = examined
        passed, refused = len(self.kept) - passed_before, self.refused.total() - refused_before
        self._acceptance = (passed + 0.5) / (passed + refused + 0.5)
        self._examined = {}
        self.trajectories = {number: way for number, way in self.trajectories.items() if number in self.kept}

    def _reason_beside_the_kept(self, graph: Graph) -> str | None:
        for variety in self._varieties:
            if not variety.admits(graph):
                return variety.reason
        for variety in self._varieties:
            variety.add(graph)
        return None


def selection_for(request: AnyCompletedRequest, card: ModelCard) -> Selection:
    """The selection by everything that a request requires of its graphs."""
    return Selection(
        list(requirements(request, card)),
        list(varieties(request)),
        num_graphs=request.num_graphs,
        most_draws=most_draws(request, card),
        describes=request.descriptors,
    )


def collect(job: EngineJob, selection: Selection, card: ModelCard, on_progress: Callable[[Progress], None]) -> None:
    """Draw and select, round after round.

    `on_progress` is called at least four times a second and may raise to stop. Then, too, finished graphs are selected.
    """
    likeness = likeness_of(job.request, card)
    while numbers := selection.next_numbers():
        if numbers.start > 0:
            job.draw_more(numbers)
        finished: Iterator[tuple[int, Graph]] = iter(())
        try:
            while selection.num_examined < len(numbers):
                if batch := job.next_batch(timeout=_POLL_SECONDS):
                    selection.trajectories |= job.trajectories(batch)
                    finished = encode(batch, card, likeness)
                    for number, graph in finished:
                        with job.own_work():
                            selection.examine(number, graph)
                        on_progress(selection.progress(job.fraction, numbers))
                on_progress(selection.progress(job.fraction, numbers))
        finally:
            with suppress(Exception):  # what ended the drawing is being raised already
                selection.examine_all(finished)
                while batch := job.next_batch(timeout=0):
                    selection.trajectories |= job.trajectories(batch)
                    selection.examine_all(encode(batch, card, likeness))
            selection.end_round()
