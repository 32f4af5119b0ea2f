from pathlib import Path

from tests.forked import digress


def test_a_model_is_drawn(tmp_path: Path) -> None:
    done = digress("plot", "comm20", "--out", "picture.png", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, "picture.png\n")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_plot_guidance_writes_a_picture(tmp_path: Path) -> None:
    out = tmp_path / "logp.svg"
    steering = ["--property", "logp", "--measure", "rdkit", "--target", "-1", "--target", "2"]

    done = digress("plot-guidance", "qm9", *steering, "-n", "8", "--out", str(out))

    assert done.returncode == 0, done.stderr
    assert "<svg" in out.read_text()
