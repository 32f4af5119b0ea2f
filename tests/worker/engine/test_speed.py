import pytest

from worker.engine.speed import Speed


def test_the_speed_is_one_before_anything_was_measured() -> None:
    assert Speed().ratio == 1


def test_the_speed_is_the_work_that_was_done_in_a_second() -> None:
    speed = Speed()

    for _ in range(100):
        speed.count(work=3.0, seconds=2.0)

    assert speed.ratio == pytest.approx(1.5, rel=1e-3)


def test_after_a_minute_of_steps_what_was_before_counts_a_third() -> None:
    speed = Speed()
    speed.count(work=60.0, seconds=60.0)

    speed.count(work=0.0, seconds=60.0)

    assert speed.ratio == pytest.approx(0.37 * 60 / (0.37 * 60 + 60), abs=0.01)
