import pytest

from app.commands.bounds import parse_bounds
from app.commands.console import CommandError


@pytest.mark.parametrize(
    ("texts", "bounds"),
    [
        ([], {}),
        (["logp>1"], {"logp": {"min": 1.0}}),
        (["logp > -1.5", "LogP<=3"], {"logp": {"min": -1.5, "max": 3.0}}),
        (["hbd=2", "sa<4e0"], {"hbd": {"min": 2.0, "max": 2.0}, "sa": {"max": 4.0}}),
    ],
)
def test_conditions_are_ranges_of_properties(texts: list[str], bounds: dict[str, dict[str, float]]) -> None:
    assert parse_bounds(texts) == bounds


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["logp"], "like 'logp>1' or 'sa<=4', not 'logp'"),
        (["logp!1"], "not 'logp!1'"),
        (["1<logp"], "not '1<logp'"),
        (["logd>1"], "no property 'logd'; it has mw, logp, qed"),
        (["mw<1.2.3"], "a number as bound, not '1.2.3'"),
        (["mw<100", "mw<200"], "says twice what max mw has"),
        (["hbd=2", "hbd>1"], "says twice what min hbd has"),
    ],
)
def test_what_is_no_condition_is_told_with_what_it_takes(texts: list[str], words: str) -> None:
    with pytest.raises(CommandError) as error:
        parse_bounds(texts)

    assert words in str(error.value)
