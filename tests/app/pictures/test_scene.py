import pytest

from app.pictures.scene import Theme
from tests.app.pictures.conftest import contrast


@pytest.mark.parametrize("theme", Theme)
def test_words_can_be_read_on_every_background(theme: Theme) -> None:
    assert contrast(theme.text, theme.background) >= 4.5
    assert contrast(theme.warning, theme.background) >= 4.5
    assert contrast(theme.line, theme.background) >= 3  # 1.4.11
