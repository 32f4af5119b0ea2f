from pathlib import Path

import pytest
import typer

from app.commands.console import CommandError, ExitStatus
from app.commands.graph_files import format_of, open_graph_file, report_missing_graphs, require_format
from app.pictures.formats import Format


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.jsonl", Format.NDJSON),
        ("a.json", Format.NDJSON),
        ("a.SMI", Format.SMILES),
        ("a.csv", Format.CSV),
        ("a.b.sdf", Format.SDF),
    ],
)
def test_the_ending_selects_the_format(tmp_path: Path, name: str, form: Format) -> None:
    assert format_of(tmp_path / name) is form
    assert not list(tmp_path.iterdir())


def test_standard_output_has_json_lines() -> None:
    assert format_of(None) is Format.NDJSON


def test_an_unknown_ending_or_a_missing_folder_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"--out ends in \.jsonl.*, not 'a\.txt'"):
        format_of(tmp_path / "a.txt")
    with pytest.raises(FileNotFoundError):
        format_of(tmp_path / "none" / "a.smi")


def test_graphs_without_chemistry_have_json_alone() -> None:
    require_format(Format.NDJSON, "planar", "graph")
    require_format(Format.SMILES, "qm9", "molecule")

    with pytest.raises(CommandError, match="graphs of planar are not molecules"):
        require_format(Format.SDF, "planar", "graph")


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "graphs.smi"

    with open_graph_file(out) as file:
        file.write(b"C\n")
        was_there = out.exists()

    assert not was_there
    assert out.read_bytes() == b"C\n"


def test_a_command_that_fails_writes_nothing_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    def fail() -> None:
        with open_graph_file(None) as file:
            file.write(b"C\n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with open_graph_file(None) as file:
        file.write(b"CC\n")

    assert capfdbinary.readouterr().out == b"CC\n"


def test_missing_graphs_end_in_a_status_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    report_missing_graphs(Format.NDJSON, num_invalid=2, note=None)
    nothing = capsys.readouterr().err
    report_missing_graphs(Format.SMILES, num_invalid=2, note=None)

    with pytest.raises(typer.Exit) as end:
        report_missing_graphs(Format.NDJSON, num_invalid=0, note="3 graphs short of 4")

    said = capsys.readouterr().err
    assert nothing == ""
    assert "2 of the graphs left out" in said
    assert "3 graphs short" in said
    assert end.value.exit_code == ExitStatus.TOO_FEW_GRAPHS
