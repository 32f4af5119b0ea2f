"""Which of the graphs that were drawn a request keeps, and which it draws again.

In rounds, so that the outcome depends on the request alone and not on which graph is finished first: round 0 draws
every graph, each later round those that the filter has turned down, from other seeds. Of equal graphs the one that was
kept in an earlier round stays, and in one round the one with the lowest number. After `MAX_ROUNDS` the request goes
without.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

from app.schemas import Graph, GraphFilter, Trajectory
from models.card.card import ModelCard
from models.generation import Progress
from worker.encoding import encode
from worker.engine import EngineJob

MAX_ROUNDS = 10
_PATIENCE_SECONDS = 0.25
# Its part of a filtered job's progress.
_FIRST_ROUND = 0.9


class Selection:
    """The graphs of one request."""

    def __init__(self, wanted: GraphFilter) -> None:
        self.kept: dict[int, Graph] = {}
        self.trajectories: dict[int, Trajectory] = {}
        """Of the graphs that were drawn last under their numbers, those that are kept among them; if frames are kept."""
        self._wanted = wanted
        self.num_drawn = 0
        """Graphs that were looked at, in all rounds."""
        self._known: set[str] = set()

    def progress(self, fraction: float, round_number: int, *, num_drawn: int) -> Progress:
        """How far the job is when a round is `fraction` of its way and has finished so many graphs."""
        if self._wanted == GraphFilter():
            return Progress(fraction, num_drawn)
        # Nobody knows how many rounds it takes; the first one draws most graphs.
        done = fraction * _FIRST_ROUND if round_number == 0 else _later_rounds(round_number - 1 + fraction)
        return Progress(done, len(self.kept))

    def sift(self, drawn: Mapping[int, Graph]) -> list[int]:
        """Keep what passes of a round, number -> graph; the numbers that do not."""
        self.num_drawn += len(drawn)
        turned_down = []
        for index in sorted(drawn):
            if self._passes(drawn[index]):
                self.kept[index] = drawn[index]
                self._known.add(drawn[index].graph.get("smiles") or "")
            else:
                turned_down.append(index)
        return turned_down

    def _passes(self, graph: Graph) -> bool:
        wanted, smiles = self._wanted, graph.graph.get("smiles")
        return (
            (not wanted.valid or smiles is not None)
            and (not wanted.unique or smiles is None or smiles not in self._known)
            and (not wanted.connected or is_connected(graph))
        )


def collect(
    job: EngineJob, selection: Selection, card: ModelCard, on_progress: Callable[[Progress], None]
) -> list[int]:
    """Draw and sift, round after round; returns the numbers of graphs that never passed.

    `on_progress` is called at least four times a second and may raise to stop: then too, what has been finished is sifted.
    """
    left = list(range(job.request.num_graphs))
    for round_number in range(MAX_ROUNDS + 1):
        if round_number > 0:
            job.draw_again(left, round_number=round_number)
        drawn: dict[int, Graph] = {}
        try:
            while len(drawn) < len(left):
                if batch := job.next_batch(timeout=_PATIENCE_SECONDS):
                    drawn |= encode(batch, card)
                    selection.trajectories |= job.trajectories(batch)
                on_progress(selection.progress(job.fraction, round_number, num_drawn=len(drawn)))
        finally:
            with suppress(Exception):  # whatever called the drawing off is on its way already
                while batch := job.next_batch(timeout=0):
                    drawn |= encode(batch, card)
                    selection.trajectories |= job.trajectories(batch)
            left = selection.sift(drawn)
        if not left:
            break
    return left


def _later_rounds(done: float) -> float:
    return _FIRST_ROUND + (1 - _FIRST_ROUND) * done / MAX_ROUNDS


def is_connected(graph: Graph) -> bool:
    """Whether every node can be reached from the first."""
    neighbours: dict[int, list[int]] = {node["id"]: [] for node in graph.nodes}
    for edge in graph.edges:
        neighbours[edge["source"]].append(edge["target"])
        neighbours[edge["target"]].append(edge["source"])
    found, next_ones = {0}, [0]
    while next_ones:
        new = set(neighbours[next_ones.pop()]) - found
        found |= new
        next_ones += new
    return len(found) == len(neighbours)
