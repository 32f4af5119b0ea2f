import re
from pathlib import Path

import pytest

from app.catalogue.validation import complete
from app.http.errors import InvalidRequest
from app.schemas import ConditionalRequest
from models.card.folder import read_card


def test_the_range_that_a_refusal_names_is_one_that_is_accepted(qm9_folder: Path) -> None:
    card = read_card(qm9_folder)

    for name in card.properties:
        for far in (-1e6, 1e6):
            with pytest.raises(InvalidRequest) as caught:
                complete(ConditionalRequest(model="qm9", targets={name: far}), card)
            low, high = map(float, re.findall(r"from ([^\s,]+) to ([^\s,]+)", caught.value.detail)[0])
            for bound in (low, high):
                complete(ConditionalRequest(model="qm9", targets={name: bound}), card)
