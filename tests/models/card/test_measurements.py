from models.card.measurements import Measurement
from tests.conftest import make_card


def test_a_new_measurement_takes_the_place_of_the_one_by_the_same_settings() -> None:
    def measured(num_steps: int, valid: float) -> Measurement:
        return Measurement(
            num_graphs=9,
            sampler="ancestral",
            grid="uniform",
            num_steps=num_steps,
            seed=0,
            command="",
            values={"valid": valid},
        )

    card = (
        make_card()
        .with_measurement(measured(10, 0.5))
        .with_measurement(measured(20, 0.6))
        .with_measurement(measured(10, 0.7))
    )

    assert [(m.num_steps, m.values["valid"]) for m in card.metrics] == [(20, 0.6), (10, 0.7)]
