"""Which graphs go first: counted in steps and in Σ n², so that no clock is needed."""

from collections import Counter

import pytest

from models.checkpoint import LoadedModel
from models.conditional import Goal
from models.generation import Generation, advance
from models.plan import GenerationPlan
from tests.conftest import make_denoiser
from tests.worker.engine.conftest import BUDGET, CARD, MODEL, NUM_STEPS, make_work
from worker.engine.budget import Budget
from worker.engine.schedule import Schedule
from worker.engine.work import Work

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


def make_schedule(*works: Work) -> Schedule:
    schedule = Schedule()
    for work in works:
        schedule.add(work)
    return schedule


def run_step(schedule: Schedule) -> dict[Work, int]:
    """One step as the engine makes it, for real: how many graphs of each job were in it."""
    step = [(work, [work.begin(pick) for pick in picks]) for work, picks in schedule.next_step()]
    costs = {work: sum(cohort.cost for cohort in cohorts) for work, cohorts in step}
    schedule.charge(costs, BUDGET.overhead + sum(costs.values()))
    advanced = iter(advance([cohort for _, cohorts in step for cohort in cohorts]))
    counts = {}
    for work, cohorts in step:
        work.put_back([next(advanced) for _ in cohorts])
        counts[work] = sum(len(cohort.graphs) for cohort in cohorts)
        if work.is_over:
            assert work.cost == 0
            schedule.remove(work)
    return counts


def steps_until_over(schedule: Schedule, work: Work) -> list[dict[Work, int]]:
    steps = []
    while not work.is_over:
        steps.append(run_step(schedule))
    return steps


def cost(step: dict[Work, int]) -> int:
    return 81 * sum(step.values())


def test_a_job_alone_has_full_steps() -> None:
    work = make_work(250)
    schedule = make_schedule(work)

    steps = steps_until_over(schedule, work)

    assert sum(step[work] for step in steps) == 250 * NUM_STEPS
    assert max(map(cost, steps)) <= BUDGET.largest
    assert len(steps) <= 3 * NUM_STEPS + 1
    assert len(schedule) == 0


def test_a_small_job_beside_a_large_one_is_in_every_step_and_steps_are_short() -> None:
    large = make_work(1_000)
    schedule = make_schedule(large)
    for _ in range(3):
        run_step(schedule)
    small = make_work(1)
    schedule.add(small)

    steps = steps_until_over(schedule, small)

    assert len(steps) == NUM_STEPS
    # Alone, a step of it takes overhead + 81.
    assert max(map(cost, steps)) + BUDGET.overhead <= 3 * (BUDGET.overhead + 81)
    assert all(step.get(large, 0) > 0 for step in steps)


def test_two_large_jobs_share_and_steps_stay_full() -> None:
    first, second = make_work(300), make_work(300)
    schedule = make_schedule(first, second)

    done: Counter[Work] = Counter()
    for _ in range(8):
        step = run_step(schedule)
        assert cost(step) > 0.8 * BUDGET.largest
        done.update(step)

    assert abs(done[first] - done[second]) <= 100


def test_jobs_of_different_models_take_turns() -> None:
    other = LoadedModel(CARD, make_denoiser(CARD, seed=5), [])
    first, second = make_work(200), make_work(200, model=other)
    schedule = make_schedule(first, second)

    steps = [run_step(schedule) for _ in range(6)]

    assert all(len(step) == 1 for step in steps)
    assert Counter(work for step in steps for work in step) == {first: 3, second: 3}


def test_many_small_jobs_share_every_step_with_a_little_of_a_large_one() -> None:
    small, large = [make_work(2) for _ in range(20)], make_work(1_000)
    schedule = make_schedule(large, *small)

    steps = steps_until_over(schedule, small[0])

    assert len(steps) == NUM_STEPS
    assert all(step[work] == 2 for step in steps for work in small)
    assert all(0 < step[large] < 20 for step in steps)


def test_the_rest_of_a_large_job_does_not_make_steps_short() -> None:
    first, second = make_work(105), make_work(500)
    schedule = make_schedule(first, second)
    while first.cost > 81 * 10:
        run_step(schedule)

    assert cost(run_step(schedule)) > 0.8 * BUDGET.largest


def test_a_job_that_comes_back_has_its_account_still() -> None:
    first, second = make_work(400), make_work(400)
    schedule = make_schedule(first, second)
    for _ in range(4):
        run_step(schedule)
    schedule.remove(first)
    again = make_work(400)
    again.account.spent = first.account.spent + 1e6

    schedule.add(again)

    assert again.account.spent == first.account.spent + 1e6


def test_a_late_job_starts_level_with_the_others() -> None:
    first = make_work(400)
    schedule = make_schedule(first)
    for _ in range(10):
        run_step(schedule)
    late = make_work(400)
    schedule.add(late)

    done: Counter[Work] = Counter()
    for _ in range(6):
        done.update(run_step(schedule))

    # Were it owed the ten steps, the first would have none of these.
    assert done[first] >= 150


def test_guided_jobs_of_the_same_targets_share_a_step_and_others_do_not() -> None:
    low, high = (make_work(1, goal=Goal({"a": value}, "proposals", 2.0)) for value in (-1.0, 1.0))
    other = make_work(1, goal=Goal({"b": 0.0}, "proposals", 2.0))
    plain = make_work(1)

    assert low.group == high.group
    assert len({low.group, other.group, plain.group}) == 3
    assert low.cost > 8 * plain.cost  # a step reads every proposal


def test_a_graph_that_exceeds_a_step_is_drawn_alone() -> None:
    schedule = Schedule()
    plan = GenerationPlan(2, 9, 9, 1, "ancestral", "polydec", NUM_STEPS)
    work = Work(Generation(MODEL, plan), Budget(largest=50, overhead=10))
    schedule.add(work)

    steps = steps_until_over(schedule, work)

    assert [step[work] for step in steps] == [1] * (2 * NUM_STEPS)


def test_called_off_work_is_forgotten() -> None:
    first, second = make_work(5), make_work(5)
    schedule = make_schedule(first, second)

    schedule.remove(first)

    assert set(run_step(schedule)) == {second}
    with pytest.raises(ValueError, match="not in list"):
        schedule.remove(first)


def seconds_until_over(schedule: Schedule, work: Work) -> int:
    """In units of Σ n²: what the steps cost, and an overhead for each."""
    return sum(BUDGET.overhead + cost(step) for step in steps_until_over(schedule, work))


@pytest.mark.parametrize("num_graphs", [1, 3, 10, 11, 13, 40, 90])
def test_a_job_of_any_size_takes_at_most_three_times_as_long_beside_a_large_one(num_graphs: int) -> None:
    alone, beside, large = make_work(num_graphs), make_work(num_graphs), make_work(1_000)
    crowded = make_schedule(large)
    run_step(crowded)
    crowded.add(beside)

    assert seconds_until_over(crowded, beside) <= 3 * seconds_until_over(make_schedule(alone), alone)


def test_a_large_job_goes_on_however_many_small_ones_come() -> None:
    large = make_work(300)
    schedule = make_schedule(large)
    run_step(schedule)
    crowd = [make_work(10) for _ in range(20)]  # two steps' worth
    for small in crowd:
        schedule.add(small)

    done = 0
    for _ in range(60):
        done += run_step(schedule).get(large, 0)
        for place, small in enumerate(crowd):
            if small.is_over:
                crowd[place] = make_work(10)
                schedule.add(crowd[place])

    # An even share of so many steps is three of them, full.
    assert done >= 60


def test_a_job_that_comes_back_to_an_empty_schedule_need_not_wait_for_those_that_came_meanwhile() -> None:
    first = make_work(100)
    schedule = make_schedule(first)
    steps_until_over(schedule, first)
    other = make_work(1_000, model=LoadedModel(CARD, make_denoiser(CARD, seed=5), []))
    schedule.add(other)
    again = make_work(10)
    again.account.spent = first.account.spent
    schedule.add(again)

    assert len(steps_until_over(schedule, again)) <= 4 * NUM_STEPS
