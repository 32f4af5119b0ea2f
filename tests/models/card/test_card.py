import json
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from models.card.card import ModelCard
from models.card.measurements import Measurement
from tests.conftest import make_card


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"node_marginals": [1.0]}, "4 node_types but 1 node_marginals"),
        ({"edge_marginals": [0.5, 0.2, 0.1]}, "must sum to 1"),
        ({"edge_types": ["none", "single", "mask"]}, "absorbing prior"),
        ({"size_distribution": {"12": 1.0}}, "between 1 and max_nodes = 9"),
        ({"sampling": {"num_steps": 51}}, "exceeds num_timesteps = 50"),
        ({"network": {"num_heads": 3, "node_width": 16}}, "must divide node_width"),
        ({"name": "../qm9"}, "pattern"),
        ({"colour": "red"}, "Extra inputs"),
        ({"max_nodes": 100_000_000}, "less than or equal to 4096"),
        ({"node_types": [str(n) for n in range(2_000)], "node_marginals": 2_000 * [1 / 2_000]}, "at most 1024 items"),
        ({"description": 3_000 * "x"}, "at most 2000 characters"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(change: dict[str, Any], words: str) -> None:
    values = json.loads(make_card().model_dump_json()) | change

    with pytest.raises(ValidationError, match=words):
        ModelCard.model_validate(values)


def test_the_priors_follow_the_kind() -> None:
    card = make_card()
    kinds = {
        kind: card.model_copy(update={"diffusion": card.diffusion.model_copy(update={"prior": kind})})
        for kind in ("uniform", "absorbing")
    }

    assert card.node_prior == card.node_marginals
    assert kinds["uniform"].edge_prior == pytest.approx([1 / 3] * 3)
    assert kinds["absorbing"].edge_prior == [0, 0, 0, 1]


def test_what_was_measured_of_another_version_is_kept_but_is_not_the_cards_quality() -> None:
    own = {"sampler": "ancestral", "grid": "polydec", "num_steps": 10, "seed": 0, "command": "…", "num_graphs": 9}
    before, after = (
        Measurement.model_validate({**own, "version": version, "values": {"valid": valid}})
        for version, valid in (("1", 0.5), ("2", 0.6))
    )

    card = make_card().with_measurement(before).model_copy(update={"version": "2"})

    assert card.quality is None
    assert card.with_measurement(after).metrics == [before, after]
    assert card.with_measurement(after).quality == after


def test_a_cards_quality_is_by_its_own_settings_on_the_most_samples() -> None:
    card = make_card()
    own = {"sampler": "ancestral", "grid": "polydec", "num_steps": 10, "seed": 0, "command": "…"}
    changes: list[dict[str, Any]] = [
        {"num_graphs": 9_000, "num_steps": 20},
        {"num_graphs": 8_000, "sampler": "mixed", "eta": 0.2},
        {"num_graphs": 7_000, "grid": "uniform"},
        {"num_graphs": 200},
        {"num_graphs": 100},
    ]
    for change in changes:
        card = card.with_measurement(Measurement.model_validate(own | {"values": {}} | change))

    assert card.quality is not None
    assert card.quality.num_graphs == 200
    mixed = card.model_copy(update={"sampling": card.sampling.model_copy(update={"sampler": "mixed", "eta": 0.3})})
    assert mixed.quality is None


def test_reading_cards_needs_no_torch() -> None:
    code = "import sys, models.card; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_rule_of_validity_is_for_graphs_that_rdkit_does_not_judge() -> None:
    card = make_card()
    planar = ModelCard.model_validate(card.model_dump() | {"domain": "graph", "validity": "planar"})

    assert (card.knows_validity, planar.knows_validity) == (True, True)
    assert not card.model_copy(update={"domain": "graph"}).knows_validity
    with pytest.raises(ValidationError, match="RDKit says which molecules are valid"):
        ModelCard.model_validate(card.model_dump() | {"validity": "tree"})
