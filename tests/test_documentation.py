"""What users can set, call or run is written down."""

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from app.cli import app
from app.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
OPTIONS = [option for command in COMMANDS.values() for option in command.params]
ROUTES = [
    path
    for file in (ROOT / "app" / "routes").glob("*.py")
    for path in re.findall(r'@router\.\w+\(\s*"([^"]+)"', file.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_readme_with_its_default(name: str) -> None:
    row = re.search(rf"^\| `DIGRESS_{name.upper()}` \| (.*?) \|", README, re.MULTILINE)

    assert row is not None
    default = Settings.model_fields[name].default
    if isinstance(default, bool):
        assert row.group(1) == f"`{str(default).lower()}`"
    elif isinstance(default, float):
        assert row.group(1) in {f"`{default:g}`", f"`{default}`"}
    elif isinstance(default, int | str):
        assert row.group(1) == f"`{default}`"


def test_every_setting_of_the_readme_is_one() -> None:
    rows = re.findall(r"^\| `DIGRESS_([A-Z_]+)` \|", README, re.MULTILINE)

    assert sorted(rows) == sorted(name.upper() for name in Settings.model_fields)


@pytest.mark.parametrize("route", sorted(set(ROUTES)))
def test_every_route_is_in_the_readme(route: str) -> None:
    assert route.replace("{job_id}", "{id}") in README


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"digress {command}" in README


@pytest.mark.parametrize("variable", sorted({option.envvar for option in OPTIONS if option.envvar}))
def test_every_variable_of_the_command_line_is_in_the_readme(variable: str) -> None:
    assert f"`{variable}`" in README


def test_every_make_target_is_in_the_readme() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert len(targets) > 4
    assert [target for target in targets if f"make {target}" not in README] == []


def test_the_code_map_names_every_module_that_there_is_and_no_other() -> None:
    modules = {
        path.relative_to(ROOT).as_posix()
        for package in ("app", "worker", "models")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    }

    named = set(re.findall(r"`((?:app|worker|models)/[\w/]+\.py)`", ARCHITECTURE))
    assert named == modules
