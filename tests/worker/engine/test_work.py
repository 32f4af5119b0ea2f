import pytest

from models.generation import Cohort, advance
from tests.worker.engine.conftest import NUM_STEPS, make_work
from worker.engine.work import Account, Work

pytestmark = pytest.mark.usefixtures("unchecked_shapes")
COST = 81  # of a graph of nine nodes


def one_step(work: Work, limit: int) -> list[Cohort]:
    return advance([work.begin(pick) for pick in work.take(work.group, limit)])


def test_work_counts_what_is_left_in_graphs_and_in_steps() -> None:
    work = make_work(4)
    before = (work.size, work.cost, work.left)

    for _ in range(NUM_STEPS):
        work.put_back(one_step(work, 10_000))

    assert before == (4 * COST, 4 * COST, 4 * COST * NUM_STEPS)
    assert (work.cost, work.left, work.is_over) == (0, 0, True)


def test_no_more_is_taken_than_a_step_may_cost() -> None:
    work = make_work(300)

    picks = work.take(work.group, 40 * COST)

    assert 0 < sum(map(work.cost_of, picks)) <= 40 * COST
    assert work.take(work.group, COST - 1) == []
    assert len(work.take(work.group, COST - 1, at_least_one=True)) == 1


def test_graphs_furthest_on_their_way_go_first() -> None:
    work = make_work(300)
    begun = one_step(work, 40 * COST)
    work.put_back(begun)

    assert work.take(work.group, sum(cohort.cost for cohort in begun)) == begun


def test_time_counts_less_for_a_job_of_more_weight() -> None:
    light, heavy = Account(1.0), Account(4.0)

    for account in (light, heavy):
        account.charge(2.0)

    assert (light.spent, heavy.spent) == (2.0, 0.5)
    heavy.raise_to(1.0)
    light.raise_to(1.0)
    assert (light.spent, heavy.spent) == (2.0, 1.0)
