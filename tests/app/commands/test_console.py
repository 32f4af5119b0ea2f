import pytest

from app.commands.console import CommandError, as_command_errors, print_error, require_extra


def test_a_message_is_one_line_on_standard_error_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    message = "a name in [brackets], and words enough for more than the width of a terminal, " * 3

    print_error(message)

    assert capsys.readouterr() == ("", f"digress: {message}\n")


def test_errors_of_the_kinds_named_become_messages_and_others_do_not() -> None:
    with pytest.raises(CommandError, match="no such preset"), as_command_errors(ValueError, KeyError):
        raise ValueError("no such preset")
    with pytest.raises(TypeError), as_command_errors(ValueError):
        raise TypeError


def test_an_extra_that_is_missing_is_named_with_the_way_to_install_it() -> None:
    require_extra("train", "json")

    with pytest.raises(CommandError, match=r"needs the extra 'train'.*\.\[train\]"):
        require_extra("train", "json", "no_such_module")
