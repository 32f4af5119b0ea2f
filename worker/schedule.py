"""Which graphs advance in the next step: fair among jobs, and quick for the small ones.

Every job has an account of the time that was spent on it, over its weight. The job that has had least goes first and says which group of
graphs the step is for: those of one model, sampler, kind of guidance and width. Groups take turns in this way, and in a
step the job that has had least is never left out. A job that comes later, or comes back, starts no lower than where
the one that has had least stood last, so that nobody has to make up for the past (start-time fair queueing: Goyal,
Vin & Cheng 1996, doi:10.1145/248157.248171).

A full step is long. So that small jobs have their graphs soon, a step takes at most twice as long as one of the
smallest job's alone would; but jobs that cost no more than an empty step are all in it, and a portion of another:

    Σ n² of the step ≤ max(overhead + 2 Σ n² of the smallest job, a portion + Σ n² of the jobs that cost an overhead or less)

where the overhead is the time of an empty step, expressed as the Σ n² that takes as long, and a portion is the most that
a cohort costs.
"""

from collections import deque
from collections.abc import Hashable, Mapping, Sequence

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
        weight: float = 1.0,
    ) -> None:
        """`weight` is its share of the device, beside the others'."""
        self.generation, self.budget, self.weight = generation, budget, weight
        self.account = 0.0
        self._round = round_number
        self._waiting = deque(generation.portions(budget.portion, chosen))
        self._running: list[Cohort] = []
        self.size = self.cost = sum(map(generation.cost, self._waiting))
        self.left = self.size * generation.plan.num_steps
        """Σ n² of all steps that are to come."""

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

    def take(self, group: Hashable, limit: int, *, at_least_one: bool = False) -> list[Pick]:
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
        self.left -= sum(cohort.cost for cohort in cohorts)
        self.cost -= sum(cohort.cost for cohort in cohorts if cohort.is_finished)
        self._running = [*(cohort for cohort in cohorts if not cohort.is_finished), *self._running]


class Schedule:
    """The jobs that share a device."""

    def __init__(self) -> None:
        self._works: list[Work] = []
        # Where the job that has had least stood last; it never goes back.
        self._now = 0.0

    def __len__(self) -> int:
        return len(self._works)

    @property
    def batches_left(self) -> float:
        """The sum over all jobs."""
        return sum(work.batches_left for work in self._works)

    @property
    def seconds_left(self) -> float:
        """How long all jobs take, by the pace of the device."""
        return sum(work.budget.pace * work.left for work in list(self._works))

    def add(self, work: Work) -> None:
        """A job that has come, or come back with its account."""
        work.account = max(work.account, min((other.account for other in self._works), default=self._now))
        self._works.append(work)

    def remove(self, work: Work) -> None:
        """A job that is over, or called off."""
        self._works.remove(work)

    def next_step(self) -> list[tuple[Work, list[Pick]]]:
        """What advances in the next step, by job; all is of one group, that of the job that has had least."""
        order = sorted(self._works, key=lambda work: work.account)
        first = order[0]
        group, budget = first.group, first.budget
        small = [work for work in order if work.size <= budget.overhead and work.group == group]
        limit = budget.largest
        if len(order) > 1:
            least = min(work.budget.pace * (work.budget.overhead + work.size) for work in order)
            enough = budget.portion + sum(work.cost for work in small)
            limit = min(limit, max(int(2 * least / budget.pace) - budget.overhead, enough))
        picks: dict[Work, list[Pick]] = {first: first.take(group, min(limit, budget.portion), at_least_one=True)}
        limit -= sum(map(first.cost_of, picks[first]))
        for work in [*small, *order]:
            taken = work.take(group, limit)
            limit -= sum(map(work.cost_of, taken))
            picks.setdefault(work, []).extend(taken)
        return [(work, taken) for work, taken in picks.items() if taken]

    def charge(self, costs: Mapping[Work, int], seconds: float) -> None:
        """Put the time of a step to the accounts of its jobs: by their Σ n² in it, and the overhead to each alike."""
        shares = {work: work.budget.overhead / len(costs) + cost for work, cost in costs.items()}
        whole = sum(shares.values())
        for work, share in shares.items():
            work.account += seconds * share / whole / work.weight
        self._now = max(self._now, min(work.account for work in self._works))
