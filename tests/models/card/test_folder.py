import os
from pathlib import Path

import pytest

from models.card.folder import MAX_CARD_BYTES, CardError, read_card, read_cards, write_card
from tests.conftest import make_card


def test_a_card_survives_being_written_and_read(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()

    write_card(make_card(), folder)

    assert read_card(folder) == make_card()
    assert list(read_cards(tmp_path)) == ["tiny"]


def test_a_folder_must_be_called_like_its_card(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    write_card(make_card(), tmp_path / "other")

    with pytest.raises(CardError, match="'tiny', but its folder is called 'other'"):
        read_cards(tmp_path)


def test_a_missing_or_unreadable_card_is_named(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "card.json").write_text("{}")

    with pytest.raises(CardError, match=r"card\.json is not a model card"):
        read_card(tmp_path / "tiny")
    with pytest.raises(CardError, match="cannot be read"):
        read_card(tmp_path / "none")
    with pytest.raises(CardError, match="not a folder"):
        read_cards(tmp_path / "none")


def test_a_folder_without_checkpoint_folders_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="holds no checkpoint folder; is a training only just begun"):
        read_cards(tmp_path)

    write_card(make_card(), tmp_path)

    with pytest.raises(CardError, match=f"give its parent, {tmp_path.parent}"):
        read_cards(tmp_path)


def test_a_card_larger_than_any_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "card.json").write_bytes(b" " * (MAX_CARD_BYTES + 1))

    with pytest.raises(CardError, match="1,000,000 bytes, more than it may have"):
        read_card(tmp_path / "tiny")


@pytest.mark.parametrize("is_relative", [True, False])
def test_a_card_that_is_a_link_out_of_its_folder_is_refused(tmp_path: Path, *, is_relative: bool) -> None:
    (tmp_path / "tiny").mkdir()
    write_card(make_card(), tmp_path)
    (tmp_path / "tiny" / "card.json").symlink_to("../card.json" if is_relative else tmp_path / "card.json")

    with pytest.raises(CardError, match="is a link that leads out of its folder; put the file itself there"):
        read_card(tmp_path / "tiny")


def test_links_inside_a_folder_and_to_a_folder_are_followed(tmp_path: Path) -> None:
    """As Kubernetes mounts files, and as people link a training's folder."""
    inside = tmp_path / "elsewhere" / "tiny" / "..data"
    inside.mkdir(parents=True)
    write_card(make_card(), inside)
    (inside.parent / "card.json").symlink_to("..data/card.json")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "tiny").symlink_to(inside.parent)

    assert list(read_cards(tmp_path / "checkpoints")) == ["tiny"]


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    os.mkfifo(tmp_path / "tiny" / "card.json")

    with pytest.raises(CardError, match="is no regular file"):
        read_card(tmp_path / "tiny")


def test_callers_are_not_told_where_the_folder_is(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "card.json").write_text("{}")

    with pytest.raises(CardError) as refused:
        read_card(tmp_path / "tiny")
    with pytest.raises(CardError) as missing:
        read_cards(tmp_path / "none")

    assert refused.value.public.startswith("tiny/card.json is not a model card: ")
    assert str(tmp_path) in str(refused.value)
    assert str(tmp_path) not in refused.value.public + missing.value.public
