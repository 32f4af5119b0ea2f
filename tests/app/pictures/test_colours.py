import pytest

from app.pictures.colours import ELEMENT_COLOURS, PALETTE, text_colour_on
from tests.app.pictures.conftest import contrast


@pytest.mark.parametrize("fill", [*PALETTE, *ELEMENT_COLOURS.values()])
def test_letters_can_be_read_on_every_colour(fill: str) -> None:
    """WCAG 2.2, success criterion 1.4.3."""
    assert contrast(fill, text_colour_on(fill)) >= 4.5
