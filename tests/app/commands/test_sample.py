import json
from pathlib import Path

from tests.forked import digress


def test_samples_go_to_a_file_and_its_size_is_as_asked(tmp_path: Path) -> None:
    out = tmp_path / "graphs.jsonl"

    done = digress("sample", "qm9", "-n", "3", "--num-nodes", "6", "--num-steps", "5", "--out", str(out))

    assert (done.returncode, done.stdout) == (0, "")
    assert [len(json.loads(line)["nodes"]) for line in out.read_text().splitlines()] == [6, 6, 6]


def test_sample_draws_again_what_the_filter_turns_down() -> None:
    wishes = ["--filter", "valid", "--filter", "unique"]
    done = digress("sample", "qm9", "-n", "40", "--num-nodes", "2", "--num-steps", "5", "--seed", "1", *wishes)

    found = [json.loads(line)["graph"]["smiles"] for line in done.stdout.splitlines()]
    assert len(found) == len(set(found)) < 40  # there are not as many molecules of two atoms
    assert None not in found
    assert f"{40 - len(found)} graphs short" in done.stderr
    assert done.returncode == 4


def test_sample_keeps_molecules_that_are_what_they_must_be_and_tells_their_properties() -> None:
    conditions = ["--contains", "[OX2H]", "--lacks", "a", "--where", "logp>0", "--where", "sa<6", "--diverse", "0.1"]
    done = digress("sample", "qm9", "-n", "5", "--num-steps", "10", "--seed", "1", *conditions, "--descriptors")

    found = [json.loads(line)["graph"] for line in done.stdout.splitlines()]
    assert (done.returncode, len(found)) == (0, 5), done.stderr
    assert all("O" in graph["smiles"] and graph["smiles"].upper() == graph["smiles"] for graph in found)
    assert all(graph["descriptors"]["logp"] >= 0 and graph["descriptors"]["sa"] <= 6 for graph in found)
    assert all(graph["descriptors"]["hbd"] >= 1 for graph in found)


def test_sample_says_in_words_when_nothing_can_be_found() -> None:
    done = digress(*("sample", "qm9", "-n", "1", "--num-steps", "2", "--seed", "1", "--contains", "C#CC#CC#C"))

    assert done.returncode == 4
    assert "1 graph short of 1: of " in done.stderr
    assert "failed contains; loosen the filter or ask for fewer" in done.stderr


def test_a_pattern_that_cannot_be_read_is_told_in_one_line() -> None:
    done = digress("sample", "qm9", "--contains", "C(")

    assert (done.returncode, done.stdout) == (1, "")
    assert "filter.contains: RDKit cannot read the SMARTS 'C('" in done.stderr
