from typing import Any

import pytest
from pydantic import ValidationError

from models.card.config import DiffusionConfig, GuidanceConfig, NetworkConfig, Section


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        (DiffusionConfig, {"num_timesteps": 10, "min_timestep": 11}, "min_timestep = 11 exceeds num_timesteps = 10"),
        (NetworkConfig, {"num_heads": 3, "node_width": 16}, "num_heads = 3 must divide node_width = 16"),
        (GuidanceConfig, {"start": 0.1, "stop": 0.2}, "stop = 0.2 must not exceed start = 0.1"),
        (GuidanceConfig, {"scales": {"proposals": 1.0}}, "scales must give one for gradient too"),
        (GuidanceConfig, {"max_scale": 5.0}, "exceed max_scale = 5.0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    section: type[Section], values: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        section.model_validate(values)
