"""What is left to do of one job, and the account of the time that was spent on it."""

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from models.generation import Cohort, Generation
from worker.engine.budget import Budget

Pick = Cohort | list[int]  # a cohort on its way, or graphs by number that have not begun


@dataclass
class Account:
    """The time that was spent on a job, divided by its weight. A job and all its work share one account."""

    weight: float = 1.0
    """The job's share of the device, beside the others'."""
    spent: float = 0.0

    def charge(self, seconds: float) -> None:
        """Add time that was spent on the job."""
        self.spent += seconds / self.weight

    def raise_to(self, level: float) -> None:
        """Raise `spent` to at least `level`."""
        self.spent = max(self.spent, level)


class Work:
    """What is left to do of one job: cohorts on their way, and portions of graphs that have not begun."""

    def __init__(
        self,
        generation: Generation,
        budget: Budget,
        *,
        owner: str = "",
        account: Account | None = None,
        chosen: Sequence[int] | None = None,
    ) -> None:
        self.generation, self.budget, self.owner = generation, budget, owner
        self.account = account or Account()
        self._waiting = deque(generation.portions(budget.portion, chosen))
        self._running: list[Cohort] = []
        self.size = self.cost = sum(map(generation.cost, self._waiting))
        """`size` is the cost of one step of all graphs of the job, `cost` that of all graphs that are left."""
        self.left = self.size * generation.num_steps
        """The cost of all steps that are to come."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return not (self._waiting or self._running)

    @property
    def seconds_left(self) -> float:
        """How long all steps that are to come take, at the pace of the device."""
        return self.budget.pace * self.left

    @property
    def batches_left(self) -> float:
        """How many full steps it takes to bring every graph that is left one step further."""
        return self.cost / self.budget.largest

    @property
    def group(self) -> Hashable:
        """The group of the graphs that are next."""
        return self._running[0].group if self._running else self.generation.group(self._waiting[0])

    def take(self, group: Hashable, limit: int, *, at_least_one: bool = False) -> list[Pick]:
        """Graphs of a group that cost at most `limit`: cohorts furthest on their way first, graphs that have not begun last."""
        taken: list[Pick] = []
        kept: list[Cohort] = []
        for cohort in self._running:
            if cohort.group == group and (cohort.cost <= limit or (at_least_one and not taken)):
                limit -= cohort.cost
                taken.append(cohort)
            else:
                kept.append(cohort)
        self._running = kept
        while self._waiting and self.generation.group(self._waiting[0]) == group:
            cost = self.generation.cost(self._waiting[0])
            if cost > limit and not (at_least_one and not taken):
                break
            limit -= cost
            taken.append(self._waiting.popleft())
        return taken

    def cost_of(self, pick: Pick) -> int:
        """What it adds to the cost of a step."""
        return pick.cost if isinstance(pick, Cohort) else self.generation.cost(pick)

    def begin(self, pick: Pick) -> Cohort:
        """The cohort that was taken; for graphs that had not begun, one of pure noise."""
        return pick if isinstance(pick, Cohort) else self.generation.start(pick)

    def put_back(self, cohorts: Sequence[Cohort]) -> None:
        """Take cohorts back after a step; those that are finished are not kept."""
        self.left -= sum(cohort.cost for cohort in cohorts)
        self.cost -= sum(cohort.cost for cohort in cohorts if cohort.is_finished)
        self._running = [*(cohort for cohort in cohorts if not cohort.is_finished), *self._running]
