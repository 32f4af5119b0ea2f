import pytest

from models.conditional import Goal
from models.given.partial import PartialGraph
from models.plan import GenerationPlan, Near


def make_plan(*, keep_frames: int = 0, goal: Goal | None = None, near: Near | None = None) -> GenerationPlan:
    return GenerationPlan(1, 1, 9, 0, "ancestral", "uniform", 10, goal, near=near, keep_frames=keep_frames)


@pytest.mark.parametrize(
    ("keep_frames", "kept"), [(0, []), (1, [10]), (2, [0, 10]), (3, [0, 5, 10]), (11, list(range(11)))]
)
def test_frames_are_kept_evenly_from_the_noise_to_the_graph(keep_frames: int, kept: list[int]) -> None:
    assert make_plan(keep_frames=keep_frames).kept_steps(10) == kept


def test_no_step_is_kept_twice() -> None:
    assert make_plan(keep_frames=20).kept_steps(3) == [0, 1, 2, 3]


def test_without_a_goal_one_graph_is_drawn_for_each_and_nothing_guides() -> None:
    goal = Goal(targets={"mu": 1.0}, estimator="gradient", scale=1.0, candidates=4)

    plain, steered = make_plan(), make_plan(goal=goal)

    assert (plain.candidates, plain.estimator) == (1, None)
    assert (steered.candidates, steered.estimator) == (4, "gradient")


def test_times_fall_from_the_noise_or_from_where_a_graph_to_begin_near_is_noised_to() -> None:
    near = Near((PartialGraph((0,), {}),), noise=0.45)

    assert make_plan().times(50) == [50, 45, 40, 35, 30, 25, 20, 15, 10, 5, 0]
    assert make_plan(near=near).times(50) == [22, 20, 15, 10, 5, 0]
