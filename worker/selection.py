"""Which of the drawn graphs a request keeps, and which are drawn again.

This goes in rounds, so that the outcome depends on the request alone and not on which graph is finished first. Round 0 draws
every graph; each later round draws those that the filter rejected, from other seeds. Of equal graphs, the one that was kept in an
earlier round stays, and within a round the one with the lowest number. After `MAX_ROUNDS` the request goes without.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

from app.schemas import Graph, GraphFilter, Trajectory
from models.card.card import ModelCard
from models.generation import Progress
from worker.encoding import encode
from worker.engine.job import EngineJob

MAX_ROUNDS = 10
_POLL_SECONDS = 0.25
# The first round's part in the progress of a filtered job.
_FIRST_ROUND = 0.9


class Selection:
    """The graphs of one request that are kept."""

    def __init__(self, wanted: GraphFilter) -> None:
        self.kept: dict[int, Graph] = {}
        """By number."""
        self.trajectories: dict[int, Trajectory] = {}
        """Of the graph that was drawn last under each number, the kept ones among them; empty if no frames are kept."""
        self.num_drawn = 0
        """Graphs that were checked, in all rounds."""
        self._wanted = wanted
        self._kept_smiles: set[str] = set()

    def progress(self, fraction: float, round_number: int, *, num_drawn: int) -> Progress:
        """The progress of the job when `fraction` of a round is done and `num_drawn` of its graphs are finished."""
        if self._wanted == GraphFilter():
            return Progress(fraction, num_drawn)
        # Nobody knows how many rounds it takes; the first one draws most graphs.
        done = fraction * _FIRST_ROUND if round_number == 0 else _later_rounds(round_number - 1 + fraction)
        return Progress(done, len(self.kept))

    def keep_passing(self, drawn: Mapping[int, Graph]) -> list[int]:
        """Keep the graphs of a round that pass the filter, number -> graph; returns the numbers of the others."""
        self.num_drawn += len(drawn)
        rejected = []
        for number in sorted(drawn):
            if self._passes(drawn[number]):
                self.kept[number] = drawn[number]
                self._kept_smiles.add(drawn[number].graph.get("smiles") or "")
            else:
                rejected.append(number)
        return rejected

    def _passes(self, graph: Graph) -> bool:
        wanted, smiles = self._wanted, graph.graph.get("smiles")
        return (
            (not wanted.valid or smiles is not None)
            and (not wanted.unique or smiles is None or smiles not in self._kept_smiles)
            and (not wanted.connected or is_connected(graph))
        )


def collect(
    job: EngineJob, selection: Selection, card: ModelCard, on_progress: Callable[[Progress], None]
) -> list[int]:
    """Draw and select, round after round; returns the numbers of the graphs that never passed.

    `on_progress` is called at least four times a second and may raise to stop. Then, too, finished graphs are selected.
    """
    left = list(range(job.request.num_graphs))
    for round_number in range(MAX_ROUNDS + 1):
        if round_number > 0:
            job.draw_again(left, round_number=round_number)
        drawn: dict[int, Graph] = {}
        try:
            while len(drawn) < len(left):
                if batch := job.next_batch(timeout=_POLL_SECONDS):
                    drawn |= encode(batch, card)
                    selection.trajectories |= job.trajectories(batch)
                on_progress(selection.progress(job.fraction, round_number, num_drawn=len(drawn)))
        finally:
            with suppress(Exception):  # what ended the drawing is being raised already
                while batch := job.next_batch(timeout=0):
                    drawn |= encode(batch, card)
                    selection.trajectories |= job.trajectories(batch)
            left = selection.keep_passing(drawn)
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
