"""Which graphs advance in the next step: fair among jobs, and quick for the small ones.

Every job has an account of the time that was spent on it, divided by its weight. The job with the lowest account goes first and decides
which group of graphs the step is for: those of one model, sampler, kind of guidance and width. So groups take turns, and the
job with the lowest account is in every step. A job that arrives, or comes back, starts no lower than where the lowest account
stood last, so that nobody has to make up for the past (start-time fair queueing: Goyal, Vin & Cheng 1996,
doi:10.1145/248157.248171).

A full step is long. So that small jobs have their graphs soon, a step takes at most twice as long as one of the
smallest job's alone would. But jobs that cost no more than an empty step are all in it, and a portion of another:

    Σ c of the step ≤ max(overhead + 2 Σ c of the smallest job, a portion + Σ c of the jobs that cost an overhead or less)

where c is the cost of a graph (`models.card.cost`), the overhead is the time of an empty step as a cost, and a portion is the most
that a cohort costs (`worker.engine.budget`).
"""

from collections.abc import Mapping, Sequence

from worker.engine.budget import Budget
from worker.engine.work import Pick, Work


class Schedule:
    """The jobs that share a device."""

    def __init__(self) -> None:
        self._works: list[Work] = []
        # The lowest account at the last step; it never falls.
        self._virtual_time = 0.0

    def __len__(self) -> int:
        return len(self._works)

    @property
    def seconds_left(self) -> float:
        """How long all jobs take, at the pace of the device."""
        return sum(work.seconds_left for work in list(self._works))

    @property
    def weight(self) -> float:
        """The sum over all jobs."""
        return sum(work.account.weight for work in list(self._works))

    def works_of(self, owner: str) -> list[Work]:
        """The jobs of one owner."""
        return [work for work in list(self._works) if work.owner == owner]

    def add(self, work: Work) -> None:
        """Add a job that has arrived, or come back with its account."""
        work.account.raise_to(min((other.account.spent for other in self._works), default=self._virtual_time))
        self._works.append(work)

    def remove(self, work: Work) -> None:
        """Remove a job that is over, or canceled."""
        self._works.remove(work)

    def replace_budget(self, old: Budget, new: Budget) -> None:
        """Give all jobs that have the one budget the other."""
        for work in self._works:
            if work.budget is old:
                work.budget = new

    def next_step(self) -> list[tuple[Work, list[Pick]]]:
        """What advances in the next step, by job; all of it is of one group, that of the job with the lowest account."""
        order = sorted(self._works, key=lambda work: work.account.spent)
        first = order[0]
        group, budget = first.group, first.budget
        small = [work for work in order if work.size <= budget.overhead and work.group == group]
        limit = budget.largest if len(order) == 1 else _shared_limit(order, small, budget)
        picks: dict[Work, list[Pick]] = {first: first.take(group, min(limit, budget.portion), at_least_one=True)}
        limit -= sum(map(first.cost_of, picks[first]))
        for work in [*small, *order]:
            taken = work.take(group, limit)
            limit -= sum(map(work.cost_of, taken))
            picks.setdefault(work, []).extend(taken)
        return [(work, taken) for work, taken in picks.items() if taken]

    def charge(self, costs: Mapping[Work, int], seconds: float) -> None:
        """Charge the time of a step to its jobs: by their cost in it, and the overhead to each alike."""
        shares = {work: work.budget.overhead / len(costs) + cost for work, cost in costs.items()}
        whole = sum(shares.values())
        for work, share in shares.items():
            work.account.charge(seconds * share / whole)
        self._virtual_time = max(self._virtual_time, min(work.account.spent for work in self._works))


def _shared_limit(works: Sequence[Work], small: Sequence[Work], budget: Budget) -> int:
    """The most that a step of several jobs may cost, by the formula above."""
    least = min(work.budget.pace * (work.budget.overhead + work.size) for work in works)
    enough = budget.portion + sum(work.cost for work in small)
    return min(budget.largest, max(int(2 * least / budget.pace) - budget.overhead, enough))
