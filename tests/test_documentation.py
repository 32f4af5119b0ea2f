"""What users can set, call, run or watch is written down; documents are short, plain, and right about the code."""

import re
import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from typer.main import get_command

from app.cli import app
from app.settings import Settings

ROOT = Path(__file__).parent.parent
# Folders that a user meets; the pages inside models/checkpoints are generated.
FOLDERS = [".", "app", "app/commands", "docker", "models", "models/checkpoints", "models/training", "tests", "worker"]
DOCUMENTS = [
    *(ROOT / folder / "README.md" for folder in FOLDERS),
    ROOT / "ARCHITECTURE.md",
    ROOT / "models/training/EXPERIMENTS.md",
    ROOT / "models/tutorials/serve_your_own_graphs.md",
]
PAGES = sorted((ROOT / "models/checkpoints").glob("*/README.md"))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


README, ARCHITECTURE = read("README.md"), read("ARCHITECTURE.md")
HTTP, COMMAND_LINE, OPERATING = read("app/README.md"), read("app/commands/README.md"), read("docker/README.md")
COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
OPTIONS = [option for command in COMMANDS.values() for option in command.params]
ROUTES = [
    path
    for file in (ROOT / "app" / "routes").glob("*.py")
    for path in re.findall(r'@router\.\w+\(\s*"([^"]+)"', file.read_text(encoding="utf-8"))
]
METRICS = {
    name
    for package in ("app", "worker")
    for file in (ROOT / package).rglob("*.py")
    for name in re.findall(r'"(digress_[a-z_]+)"', file.read_text(encoding="utf-8"))
}

named = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    row = re.search(rf"^\| `DIGRESS_{name.upper()}` \| (.*?) \|", OPERATING, re.MULTILINE)

    assert row is not None
    default = Settings.model_fields[name].default
    if isinstance(default, bool):
        assert row.group(1) == f"`{str(default).lower()}`"
    elif isinstance(default, float):
        assert row.group(1) in {f"`{default:g}`", f"`{default}`"}
    elif isinstance(default, int | str):
        assert row.group(1) == f"`{default}`"


def test_every_documented_setting_is_one() -> None:
    rows = re.findall(r"^\| `DIGRESS_([A-Z_]+)` \|", OPERATING, re.MULTILINE)

    assert sorted(rows) == sorted(name.upper() for name in Settings.model_fields)


@pytest.mark.parametrize("route", sorted(set(ROUTES)))
def test_every_route_is_documented(route: str) -> None:
    assert route.replace("{job_id}", "{id}") in HTTP


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_documented(command: str) -> None:
    assert f"digress {command}" in COMMAND_LINE


@pytest.mark.parametrize("variable", sorted({option.envvar for option in OPTIONS if option.envvar}))
def test_every_variable_of_the_command_line_is_documented(variable: str) -> None:
    assert f"`{variable}`" in COMMAND_LINE


def test_every_metric_is_documented_and_no_other() -> None:
    rows = "\n".join(line for line in OPERATING.splitlines() if line.startswith("| `digress_"))

    assert set(re.findall(r"`(digress_\w+)`", rows)) == METRICS


def test_every_make_target_is_documented() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", read("Makefile"), re.MULTILINE)

    assert len(targets) > 4
    assert [target for target in targets if f"make {target}" not in read("tests/README.md")] == []


@named
def test_commands_that_documents_tell_to_type_exist_with_their_options(path: Path) -> None:
    for line in command_lines(path.read_text(encoding="utf-8")):
        name, *rest = shlex.split(line, comments=True)[1:]
        if name.startswith("-"):  # of `digress` itself
            continue
        command = COMMANDS[name]
        if rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest[0]]
        known = {spelling for option in command.params for spelling in [*option.opts, *option.secondary_opts]}
        used = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
        assert used <= known, line


def test_the_code_map_names_every_folder_and_no_other() -> None:
    folders = {
        f"{path.parent.relative_to(ROOT).as_posix()}/"
        for package in ("app", "worker", "models")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    }

    mapped = set(re.findall(r"^\| `([\w/]+/)` \|", ARCHITECTURE, re.MULTILINE))
    assert folders <= mapped
    assert [folder for folder in mapped if not (ROOT / folder).is_dir()] == []


@named
def test_files_that_a_document_names_exist(path: Path) -> None:
    names = re.findall(r"`([\w./-]+\.(?:py|toml|yml|yaml|md|js))`", path.read_text(encoding="utf-8"))

    made_by_the_reader = {"make_networks.py"}
    assert [
        name
        for name in names
        if not any((folder / name).exists() for folder in (ROOT, path.parent)) and name not in made_by_the_reader
    ] == []


@pytest.mark.parametrize("path", [*DOCUMENTS, *PAGES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


def test_the_readme_and_the_architecture_are_short() -> None:
    assert len(README.split()) <= 700
    assert len(ARCHITECTURE.split()) <= 2_500


def test_the_readme_has_no_long_sentence() -> None:
    assert [sentence for sentence in sentences(README) if len(words(sentence)) > 40] == []


@named
def test_sentences_are_short(path: Path) -> None:
    assert median(len(words(sentence)) for sentence in sentences(path.read_text(encoding="utf-8"))) < 18


@named
def test_tables_have_four_columns_at_most(path: Path) -> None:
    printed_by_make_bench = "| part | measured | figure |"
    text = without_code(path.read_text(encoding="utf-8"))
    tables = [list(lines) for is_row, lines in groupby(text.splitlines(), lambda line: line.startswith("|")) if is_row]

    assert [
        table[0]
        for table in tables
        if len(re.findall(r"(?<!\\)\|", table[0])) > 5 and not table[0].startswith(printed_by_make_bench)
    ] == []


def test_quality_beside_published_numbers_is_that_of_the_cards() -> None:
    """The pages are made of the cards (tests of `models.evaluation.page`)."""
    rows = re.findall(r"^\| `([\w-]+)` [^|]+ \| ([^|]+) \|", read("models/checkpoints/README.md"), re.MULTILINE)

    assert len(rows) >= 10
    for model, figure in rows:
        assert f"| {figure} |" in read(f"models/checkpoints/{model}/README.md"), (model, figure)


def test_every_shipped_model_is_in_the_readme_with_its_page() -> None:
    for page in PAGES:
        assert f"[{page.parent.name}]({page.relative_to(ROOT).as_posix()})" in README


def command_lines(text: str) -> Iterator[str]:
    """The lines of shell blocks that call `digress`, each from that word to the end of the command."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.search(r"(?:^|[ /(])(digress [a-z-][^&)|]*)", line.partition(" # ")[0])
            if found and not line.startswith(("docker", "kubectl")):
                yield found.group(1)


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def sentences(text: str) -> list[str]:
    """The sentences of a page: without code, tables, headings and pictures; an item of a list ends one, too."""
    lines = [line for line in without_code(text).splitlines() if not re.match(r"\||#|!\[", line)]
    paragraphs = re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", "\n".join(lines))
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"`[^`]*`", "code", part)) for part in paragraphs)
    found = (piece for part in plain for piece in re.split(r"(?<=[.!?])[*_]*\s+", part))
    return [piece for piece in found if words(piece)]


def words(sentence: str) -> list[str]:
    return [word for word in sentence.split() if re.search(r"\w", word)]
