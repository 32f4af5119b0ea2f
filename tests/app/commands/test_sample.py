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
