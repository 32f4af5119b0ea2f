"""models/README.md: its lines of Python run, and its glossary can be searched."""

import re
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "models"
TEXT = (MODELS / "README.md").read_text(encoding="utf-8")
SCRIPT = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
GLOSSARY = TEXT.partition("## DiGress ↔ here")[2].partition("\n## ")[0]
NAMES = [
    name
    for row in re.findall(r"^\| ([^|]+) \|", GLOSSARY, re.MULTILINE)
    for name in re.findall(r"`(\w+)`|((?:Algorithm|Lemma) [\d.]+)", row)
]
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in MODELS.rglob("*.py"))


def test_its_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, object] = {}

    exec(SCRIPT, found)  # what a reader would type

    drawn = capsys.readouterr().out.splitlines()
    assert len(drawn) == 5
    assert found["past"]


@pytest.mark.parametrize("name", sorted({first or second for first, second in NAMES}))
def test_a_name_of_digress_is_found_where_it_is_done(name: str) -> None:
    assert name.lower() in SOURCES.lower()


@pytest.mark.parametrize("file", sorted(set(re.findall(r"`((?:\w+/)+\w+\.py)`", TEXT))))
def test_a_file_that_it_names_exists(file: str) -> None:
    assert (MODELS / file).is_file() or (MODELS.parent / file).is_file()
