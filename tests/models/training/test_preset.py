import pytest

from models.training.preset import (
    DenoiserPreset,
    PresetError,
    available_presets,
    load_preset,
)


def test_the_shipped_presets_are_sound() -> None:
    assert available_presets() == [
        "comm20",
        "planar",
        "qm9",
        "qm9-h",
        "qm9-judge",
        "qm9-regressor",
        "sbm",
        "tree",
        "zinc250k",
    ]
    assert all(load_preset(name).name == name for name in available_presets())


def test_a_preset_can_be_changed_by_overrides() -> None:
    preset = load_preset("qm9", ["training.batch_size=64", "diffusion.schedule=linear", "sampling.num_steps=20"])

    assert isinstance(preset, DenoiserPreset)
    assert (preset.training.batch_size, preset.diffusion.schedule, preset.sampling.num_steps) == (64, "linear", 20)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.batch_sise=64", "training.batch_sise"),
        ("training.batch_size=many", "training.batch_size"),
        ("training.batch_size", "key=value"),
        ("name.first=x", "'name' is a value"),
    ],
)
def test_an_override_that_does_not_fit_is_named(override: str, words: str) -> None:
    with pytest.raises(PresetError, match=words):
        load_preset("qm9", [override])


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(PresetError, match=r"available: .*qm9"):
        load_preset("zinc")
