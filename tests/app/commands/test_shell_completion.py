import os
import subprocess
import sys
from pathlib import Path

from tests.servers import DIGRESS


def test_bash_completes_commands_models_and_names(tmp_path: Path) -> None:
    script = """
        digress --install-completion && source ~/.bashrc
        complete_words() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _digress_completion digress
            echo "${COMPREPLY[*]}"
        }
        complete_words digress gen
        complete_words digress sample q
        complete_words digress generate qm9 --sampler m
        complete_words digress generate qm9 --target h
        complete_words digress sample qm9 --filter ''
        complete_words digress sample qm9 --where r
    """
    path = f"{Path(DIGRESS).parent}:{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-c", script], env=os.environ | {"HOME": str(tmp_path), "PATH": path}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-6:] == [
        *("generate", "qm9 qm9-h", "mixed", "homo=", "valid unique connected stable"),
        "rotatable_bonds rings",
    ]


def test_completion_is_quick_for_it_needs_no_server_and_no_network() -> None:
    code = (
        "import sys, app.cli; from app.commands.shell_completion import model_names, target_prefixes; model_names(), target_prefixes();"
        "sys.exit(' '.join({'torch', 'rdkit', 'fastapi', 'redis', 'httpx2'} & set(sys.modules)) or None)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
