"""A function as a command: its help comes from its docstring, and a parameter that is a dataclass becomes options.

A dataclass declares options that several commands share: each of its fields, annotated as Typer has it, is one.
"""

import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

import typer

_EXAMPLES = "\n\nExamples:\n"


def add_command(app: typer.Typer, command: Callable[..., None], name: str | None = None) -> None:
    """Add a function to `app` as a command; its name is that of the function unless given."""
    description, _, lines = (inspect.getdoc(command) or "").partition(_EXAMPLES)
    paragraphs = re.sub(r"(?<!\n)\n(?!\n)", " ", description)  # the terminal's width decides where lines break
    epilog = format_examples(*textwrap.dedent(lines).splitlines())
    app.command(name, help=paragraphs, epilog=epilog)(with_expanded_options(command))


def format_examples(*lines: str) -> str:
    """The end of a command's help: one example per line."""
    return "\n".join(["Examples:", *lines])


def with_expanded_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with every field of its dataclass parameters as a parameter of its own, as Typer needs it."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
    if not groups:
        return command
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            parameters += _field_parameters(groups[parameter.name])
        else:
            parameters.append(parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY))

    @wraps(command)
    def expanded(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return expanded


def _field_parameters(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    parameters = []
    for field in fields(group):
        default = inspect.Parameter.empty if field.default is MISSING else field.default
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(field.name, kind, default=default, annotation=hints[field.name]))
    return parameters
