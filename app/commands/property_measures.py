"""How the properties of graphs are measured, for the commands that evaluate guidance."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from app.commands.console import CommandError, console, require_extra
from models.card.card import ModelCard
from models.card.config import Measure

if TYPE_CHECKING:
    from models.evaluation.guidance import MeasureFunction


def require_measurable(properties: Sequence[str], measure: Measure, card: ModelCard) -> None:
    """Make sure that a measure covers these properties.

    Raises:
        CommandError: if it does not.
    """
    from models.evaluation.guidance import measurable

    if len(set(properties)) < len(properties):
        raise CommandError(f"--property {', '.join(properties)}: name each once")
    known = measurable(measure, card)
    if measure == "judge" and (judge := card.judge) is not None:
        judged = {prediction.name for prediction in judge.properties}
        known = [name for name in known if name in judged]
    if unknown := [name for name in properties if name not in known]:
        raise CommandError(f"{measure} cannot measure {', '.join(unknown)}; it measures {', '.join(known)}")


def load_measure(name: Measure, card: ModelCard, checkpoints: Path, *, num_processes: int) -> "MeasureFunction":
    """The measure of this name, for a model in the folder `checkpoints`; dft has `num_processes`.

    Raises:
        CommandError: if the model has no judge, or a package that the measure needs is not installed.
    """
    from models.checkpoint import load_regressors
    from models.evaluation.guidance import by_judge, by_rdkit

    match name:
        case "rdkit":
            return by_rdkit
        case "judge":
            judge = card.judge
            if judge is None:
                raise CommandError(
                    f"{card.name} has no judge; train one, like `digress train qm9-judge`, or use rdkit or dft"
                )
            network = load_regressors(card, checkpoints / card.name, "judge")[0]
            return by_judge(network, [known.name for known in judge.properties], card)
        case _:
            require_extra("chemistry", "pyscf", "tblite")
            return lambda smiles: _by_dft(smiles, num_processes=num_processes)


def _by_dft(smiles: Sequence[str], *, num_processes: int) -> list[dict[str, float] | None]:
    from models.evaluation.dft.quantum_batch import compute_all

    columns = (TextColumn("DFT"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("DFT", total=None)
        found = compute_all(
            smiles, jobs=num_processes, on_progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    return [found[text] for text in smiles]
