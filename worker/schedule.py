"""Which graphs advance in the next step: fair among jobs, and quick for the small ones.

Every job has an account of the work done for it, in seconds: Σ n² over its graphs' steps, plus its part of what a step
costs whatever is in it. The job that has had least goes first and says which group of graphs the step is for; others of the
same group fill it up, those that have had least before the others. A job that comes later starts level with the one
that has had least, so that nobody has to make up for the past (start-time fair queueing: Goyal, Vin & Cheng 1996,
doi:10.1145/248157.248171).

A full step is long. So that a small job, one that fits into a single cohort, has its graphs soon, a step then holds
all small jobs of its group and little else:

    Σ n² of the step ≤ max(overhead + 2 Σ n² of the smallest, a portion + Σ n² of the small jobs)

where the overhead is the time of an empty step, expressed as the Σ n² that takes as long. So the steps of a few small
jobs take twice as long as those of one alone, whatever is beside them; where there are many, large jobs have a little
of every step still: a portion is the most that a cohort costs.
"""

from collections import deque
from collections.abc import Hashable, Sequence

from models.generation import Cohort, Generation
from worker.budget import Budget

Pick = Cohort | list[int]  # a cohort on its way, or graphs by number that have not begun


class Work:
    """What is left to do of one job: cohorts on their way, and portions of graphs that have not begun."""

    def __init__(
        self,
        generation: Generation,
        budget: Budget,
        *,
        chosen: Sequence[int] | None = None,
        round_number: int = 0,
    ) -> None:
        self.generation, self.budget = generation, budget
        self.account = 0.0
        self._round = round_number
        self._waiting = deque(generation.portions(budget.portion, chosen))
        self._running: list[Cohort] = []
        self.cost = sum(map(generation.cost, self._waiting))
        self.is_small = self.cost <= budget.portion

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return not (self._waiting or self._running)

    @property
    def batches_left(self) -> float:
        """How many steps it takes to bring every graph that is left one step further, if they are full."""
        return self.cost / self.budget.largest

    @property
    def group(self) -> Hashable:
        """The group of the graphs that are next."""
        return self._running[0].group if self._running else self.generation.group(self._waiting[0])

    def take(self, group: Hashable, limit: int, *, at_least_one: bool) -> list[Pick]:
        """What is of a group and costs at most `limit`: cohorts furthest on their way first, graphs that have not begun last."""
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
        """Σ n² that it adds to a step."""
        return pick.cost if isinstance(pick, Cohort) else self.generation.cost(pick)

    def begin(self, pick: Pick) -> Cohort:
        """The cohort that was taken; of graphs that had not begun, one of pure noise."""
        return pick if isinstance(pick, Cohort) else self.generation.start(pick, round_number=self._round)

    def put_back(self, cohorts: Sequence[Cohort]) -> None:
        """Cohorts after a step; those that are finished are not kept."""
        self.cost -= sum(cohort.cost for cohort in cohorts if cohort.is_finished)
        self._running = [*(cohort for cohort in cohorts if not cohort.is_finished), *self._running]


class Schedule:
    """The jobs that share a device."""

    def __init__(self) -> None:
        self._works: list[Work] = []

    def __len__(self) -> int:
        return len(self._works)

    @property
    def batches_left(self) -> float:
        """The sum over all jobs."""
        return sum(work.batches_left for work in self._works)

    def add(self, work: Work) -> None:
        """A job that has come, or come back: its account is kept, but starts no lower than the others'."""
        work.account = max(work.account, min((other.account for other in self._works), default=0.0))
        self._works.append(work)

    def remove(self, work: Work) -> None:
        """A job that is over, or called off."""
        self._works.remove(work)

    def next_step(self) -> list[tuple[Work, list[Pick]]]:
        """What advances in the next step, by job; all is of one group, that of the job that has had least."""
        order = sorted(self._works, key=lambda work: work.account)
        group, budget = order[0].group, order[0].budget
        limit = budget.largest
        if len(order) > 1 and (small := [work.cost for work in order if work.is_small]):
            limit = min(limit, max(budget.overhead + 2 * min(small), budget.portion + sum(small)))
        step: list[tuple[Work, list[Pick]]] = []
        for work in sorted(order, key=lambda work: not work.is_small):
            if picks := work.take(group, limit, at_least_one=not step):
                limit -= sum(map(work.cost_of, picks))
                step.append((work, picks))
        for work, picks in step:
            work.account += budget.pace * (budget.overhead / len(step) + sum(map(work.cost_of, picks)))
        return step
