from models.training.module import TrainingClock


def test_a_clock_goes_on_from_where_it_was() -> None:
    clock = TrainingClock("wall")

    clock.resume_from(12.5)

    assert 12.5 <= clock.minutes < 12.6
