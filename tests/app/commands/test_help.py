from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from app.commands.help import add_command, format_examples


@dataclass(frozen=True)
class Wishes:
    colour: Annotated[str, typer.Option(help="Which colour.")]
    size: Annotated[int, typer.Option(help="How large.", min=1)] = 3


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()

    def paint(name: Annotated[str, typer.Argument()], wishes: Wishes, twice: bool = False) -> None:
        """Paint something, in words
        that need two lines.

        Examples:
            digress paint wall --colour red
            digress paint door --colour blue --size 4
        """
        typer.echo(f"{name} {wishes} {twice}")

    add_command(app, paint)
    return app


def test_every_field_of_a_dataclass_is_an_option(app: typer.Typer) -> None:
    done = CliRunner().invoke(app, ["wall", "--colour", "red", "--twice"])

    assert done.exit_code == 0
    assert done.stdout == f"wall {Wishes('red', 3)} True\n"


@pytest.mark.parametrize("arguments", [["wall"], ["wall", "--colour", "red", "--size", "0"]])
def test_a_field_without_a_value_or_out_of_its_range_is_wrong_usage(app: typer.Typer, arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_the_help_is_the_docstring_and_ends_in_its_examples(app: typer.Typer) -> None:
    (command,) = app.registered_commands

    assert command.help == "Paint something, in words that need two lines."
    assert command.epilog == format_examples(
        "digress paint wall --colour red", "digress paint door --colour blue --size 4"
    )
