"""The command `digress`.

This is the one module that wires app, worker and models together; what is heavy is imported inside the command that
needs it, so that `digress --help` and `digress api` stay quick and free of torch.
"""

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import structlog
import typer
from pydantic import ValidationError
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from app.completion import complete, find_card
from app.errors import ServiceError, field_problem
from app.key_commands import app as key_commands
from app.keys import NamingError
from app.schemas import MAX_GRAPHS, AnyCompletedRequest, ConditionalRequest, GenerateRequest
from app.settings import Settings, SettingsError, configure_logging, read_settings
from models.card import CardError, Estimator, Grid, Measure, ModelCard, change_card, read_cards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.evaluation.guidance import MeasureFunction
    from models.generation import Progress as GenerationProgress

app = typer.Typer(
    help="DiGress, discrete denoising diffusion for graphs, as a service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(key_commands, name="keys")
_console = Console(stderr=True)
# How long the API, when it stops, waits for requests under way.
_GRACE_SECONDS = 2

ModelArgument = Annotated[str, typer.Argument(help="Name of a checkpoint; `digress models` lists them.")]
SeedOption = Annotated[int | None, typer.Option(help="The same seed gives the same graphs.", min=0)]
StepsOption = Annotated[
    int | None, typer.Option("--num-steps", help="Denoising steps; the card's default if left out.", min=1)
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device", help="cpu, cuda or cuda:1; DIGRESS_DEVICE if left out, which is by itself a GPU if there is one."
    ),
]
SamplerOption = Annotated[str | None, typer.Option(help="Sampler by name; the card's default if left out.")]


class Wish(StrEnum):
    """What `digress sample --filter` takes: the fields of a request's `filter`."""

    VALID = "valid"
    UNIQUE = "unique"
    CONNECTED = "connected"


class CommandError(Exception):
    """Something the user can mend; the message says how."""


@app.command()
def serve(device: DeviceOption = None) -> None:
    """Run everything on this machine: Redis if there is none, the API and a worker.

    Settings come from the environment: DIGRESS_HOST, DIGRESS_PORT, DIGRESS_REDIS_URL, DIGRESS_CHECKPOINTS, DIGRESS_DEVICE, …
    """
    from app.supervisor import StartError
    from app.supervisor import serve as run

    try:
        status = run(_settings_on(device), lambda words: print(f"digress: {words}", flush=True))
    except StartError as error:
        raise CommandError(str(error)) from error
    raise typer.Exit(status)


@app.command()
def api() -> None:
    """Run the API alone; needs DIGRESS_REDIS_URL."""
    import uvicorn

    from app.main import build

    settings = read_settings()
    configure_logging(settings)
    application = build(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    application.state.is_stopping = lambda: server.should_exit
    server.run()
    if not server.started:
        raise typer.Exit(1)


@app.command()
def worker(device: DeviceOption = None) -> None:
    """Run a worker alone; needs DIGRESS_REDIS_URL."""
    from worker.__main__ import main as run

    _settings_on(device)
    raise typer.Exit(run())


@app.command()
def models(as_json: Annotated[bool, typer.Option("--json", help="The whole cards, as a JSON array.")] = False) -> None:
    """List the checkpoints and how good they were measured to be."""
    cards = _cards()
    if as_json:
        print(json.dumps([card.model_dump(mode="json") for card in cards.values()], indent=2))
        return
    table = Table("model", "graphs", "nodes", "default steps", "steers to", "measured")
    for card in cards.values():
        shown = "–"
        if quality := card.quality:
            values = ", ".join(f"{name} {value:.4g}" for name, value in quality.headline.items())
            shown = f"{quality.num_graphs:,} samples: {values}"
        steers_to = ", ".join(card.properties) or "–"
        table.add_row(
            card.name, card.description, f"1–{card.max_nodes}", str(card.sampling.num_steps), steers_to, shown
        )
    Console().print(table)


@app.command()
def sample(
    model: ModelArgument,
    num_graphs: Annotated[int, typer.Option("-n", "--num-graphs", help="How many graphs.", min=1, max=MAX_GRAPHS)] = 1,
    seed: SeedOption = None,
    num_nodes: Annotated[str | None, typer.Option(help="Nodes per graph, like 9, or a range, like 5-9.")] = None,
    num_steps: StepsOption = None,
    sampler: SamplerOption = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="Wanted property value, like mu=2.5; repeatable. `digress models` lists them."),
    ] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="How hard to steer to the targets.", min=0)] = None,
    estimator: Annotated[
        Estimator | None, typer.Option(help="How the guided step is found; gradient is DiGress's own.")
    ] = None,
    candidates: Annotated[
        int | None,
        typer.Option(help="Graphs drawn for each one kept: the one predicted nearest to the targets.", min=1),
    ] = None,
    wanted: Annotated[
        list[Wish] | None,
        typer.Option("--filter", help="Draw again what is not so, up to ten times; repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for the graphs; standard output if left out.")] = None,
    device: DeviceOption = None,
) -> None:
    """Draw graphs here, without Redis: JSON lines, one graph a line, the same as POST /generate gives.

    Examples: digress sample qm9 -n 100 --seed 7 --num-nodes 5-9 --out molecules.jsonl,
    digress sample qm9 -n 16 --target mu=2.5 --target homo=-6.2
    """
    import torch

    from worker.engine import Engine, EngineStopped, TooLarge
    from worker.selection import Selection, collect
    from worker.store import ModelStore, choose_device

    settings = _settings_on(device)
    targets = _targets(target)
    steering = {"guidance_scale": guidance_scale, "estimator": estimator, "candidates": candidates}
    if not targets and (given := [name for name, value in steering.items() if value is not None]):
        raise CommandError(f"--{given[0].replace('_', '-')} steers to a --target, and there is none")
    request = _request(
        model,
        num_graphs=num_graphs,
        seed=seed,
        num_nodes=None if num_nodes is None else _sizes(num_nodes),
        num_steps=num_steps,
        sampler=sampler,
        targets=targets or None,
        filter=dict.fromkeys(wanted or [], True),
        **steering,
    )
    if out is not None:
        _require_writable(out)
    torch.set_flush_denormal(True)
    selection = Selection(request.filter)
    store = ModelStore(settings.checkpoints, choose_device(settings.device))
    try:
        with Engine(store) as engine, _progress_bar("sampling", request.num_graphs) as on_progress:
            left = collect(engine.submit(request), selection, store.model(request.model).card, on_progress)
    except (TooLarge, EngineStopped) as error:
        raise CommandError(str(error)) from error
    lines = "".join(selection.kept[index].model_dump_json() + "\n" for index in sorted(selection.kept))
    if out is None:
        sys.stdout.write(lines)
    else:
        out.write_text(lines, encoding="utf-8")
    if left:
        _console.print(f"digress: {len(left)} graphs short: no draw of them passed the filter", style="yellow")


@app.command()
def evaluate(
    model: ModelArgument,
    num_graphs: Annotated[
        int, typer.Option("-n", "--num-graphs", help="How many fresh samples to measure.", min=2)
    ] = 1_000,
    seed: SeedOption = None,
    num_steps: StepsOption = None,
    sampler: SamplerOption = None,
    eta: Annotated[
        float | None, typer.Option(help="Share of renoise in the sampler mixed; the card's if left out.", min=0, max=1)
    ] = None,
    grid: Annotated[Grid | None, typer.Option(help="Where the steps lie; the card's if left out.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="The file that the checkpoint was trained on, if it was one of yours.")
    ] = None,
    likelihood: Annotated[
        bool, typer.Option(help="The likelihood bound too; it is slow for large graphs, and no sampler changes it.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Also put the measurement into the checkpoint's card.")] = False,
    device: DeviceOption = None,
) -> None:
    """Measure a checkpoint on fresh samples, and on the test graphs of what it was trained on.

    Molecules: validity, uniqueness, novelty, stability, FCD, distances of properties. Other graphs: validity, uniqueness,
    novelty, and MMD ratios of degrees, clustering, orbits, spectrum and wavelets. Both: the likelihood bound with its terms.

    Example: digress evaluate qm9 -n 2000 --json
    """
    _require("fcd_torch", "evaluate")
    import torch

    from models.data.file_graphs import DataFileError
    from models.evaluation.molecules import EvaluationError
    from models.evaluation.report import DEFAULT_SEED, reference_data
    from models.evaluation.report import evaluate as measure
    from worker.plans import plan
    from worker.store import ModelStore, choose_device

    settings = _settings_on(device)
    request = _request(
        model, num_graphs=num_graphs, seed=DEFAULT_SEED if seed is None else seed, num_steps=num_steps, sampler=sampler
    )
    if eta is not None and request.sampler != "mixed":
        raise CommandError(f"--eta is for --sampler mixed, not {request.sampler}")
    torch.set_flush_denormal(True)
    loaded = ModelStore(settings.checkpoints, choose_device(settings.device)).model(request.model)
    terms = plan(request, loaded.card)
    terms = replace(terms, grid=grid or terms.grid, eta=terms.eta if eta is None else eta)
    try:
        reference = reference_data(loaded.card, data)
    except (EvaluationError, DataFileError) as error:
        raise CommandError(str(error)) from error
    try:
        with _progress_bar("sampling", request.num_graphs, then="measuring") as on_progress:
            measurement = measure(loaded, terms, reference, on_progress, likelihood=likelihood)
    except EvaluationError as error:
        raise CommandError(str(error)) from error
    if save:
        change_card(settings.checkpoints / model, lambda card: card.with_measurement(measurement))
    if as_json:
        print(measurement.model_dump_json(indent=2))
        return
    table = Table("metric", "value", title=f"{loaded.card.name}, {num_graphs} samples, {request.num_steps} steps")
    for name, value in measurement.values.items():
        table.add_row(name, f"{value:.4g}")
    Console().print(table)


@app.command("evaluate-guidance")
def evaluate_guidance(
    model: ModelArgument,
    properties: Annotated[
        list[str], typer.Option("--property", help="Property to steer to, like mu; repeat to steer to several at once.")
    ],
    measure: Annotated[
        Measure,
        typer.Option(
            help="What tells the graphs' properties: rdkit (exact: logp, qed, mw), dft (mu, homo, lumo, gap; "
            "about 10 s a molecule), or judge, a regressor trained on other molecules."
        ),
    ] = "judge",
    num_graphs: Annotated[
        int, typer.Option("-n", "--num-graphs", help="Targets, each from a test molecule and with one graph.", min=2)
    ] = 1_000,
    candidates: Annotated[int, typer.Option(help="Graphs drawn for each one kept.", min=1)] = 1,
    guidance_scale: Annotated[float | None, typer.Option(help="The card's default if left out.", min=0)] = None,
    estimator: Annotated[Estimator | None, typer.Option(help="How the guided step is found.")] = None,
    seed: SeedOption = None,
    num_steps: StepsOption = None,
    sampler: SamplerOption = None,
    jobs: Annotated[int, typer.Option(help="Processes for dft, a core each.", min=1)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Also put the measurement into the checkpoint's card.")] = False,
    device: DeviceOption = None,
) -> None:
    """Measure how near guided graphs come to their targets, beside unguided graphs.

    What dft has computed is kept: stopped at any moment, the same command goes on where it was.

    Example: digress evaluate-guidance qm9 --property mu --property homo --measure dft -n 100 --jobs 2
    """
    _require("qm9pack", "chemistry")
    import torch

    from models.evaluation.guidance import DEFAULT_SEED, Protocol
    from models.evaluation.guidance import evaluate_guidance as run
    from models.evaluation.molecules import EvaluationError
    from worker.plans import plan
    from worker.store import ModelStore, choose_device

    settings = _settings_on(device)
    card = find_card(model, _cards())
    _require_measurable(properties, measure, card)
    request = _request(
        model,
        num_graphs=num_graphs,
        seed=DEFAULT_SEED if seed is None else seed,
        num_steps=num_steps,
        sampler=sampler,
        # Stand-ins that every card accepts: the real targets are drawn from test molecules.
        targets={name: card.properties[name].mean if name in card.properties else 0.0 for name in properties},
        guidance_scale=guidance_scale,
        estimator=estimator,
        candidates=candidates,
    )
    torch.set_flush_denormal(True)
    loaded = ModelStore(settings.checkpoints, choose_device(settings.device)).model(request.model)
    try:
        with _progress_bar("sampling", request.num_graphs) as on_progress:
            protocol = Protocol(properties, measure, _measure(measure, card, settings.checkpoints, jobs=jobs))
            measurement = run(loaded, plan(request, card), protocol, on_progress)
    except EvaluationError as error:
        raise CommandError(str(error)) from error
    if save:
        change_card(settings.checkpoints / model, lambda card: card.with_guidance_measurement(measurement))
    if as_json:
        print(measurement.model_dump_json(indent=2))
        return
    table = Table("property", "guided MAE", "unguided MAE", title=f"{card.name} by {measure}, {num_graphs} targets")
    for name in properties:
        table.add_row(
            name,
            f"{measurement.mae[name]:.3f} ± {measurement.standard_error[name]:.3f}",
            f"{measurement.unguided_mae[name]:.3f} ± {measurement.unguided_standard_error[name]:.3f}",
        )
    Console().print(table)
    Console().print(
        f"ratio {measurement.ratio:.3f}, valid {measurement.valid:.3f}, measured {measurement.measured:.3f}"
    )


@app.command("plot-guidance")
def plot_guidance(
    model: ModelArgument,
    name: Annotated[str, typer.Option("--property", help="Property to steer to, like mu.")],
    targets: Annotated[list[float], typer.Option("--target", help="Value to steer to; repeat for several.")],
    measure: Annotated[
        Measure, typer.Option(help="What tells the graphs' property, as in evaluate-guidance.")
    ] = "judge",
    num_graphs: Annotated[int, typer.Option("-n", "--num-graphs", help="Graphs for each target.", min=2)] = 500,
    candidates: Annotated[int, typer.Option(help="Graphs drawn for each one kept.", min=1)] = 1,
    guidance_scale: Annotated[float | None, typer.Option(help="The card's default if left out.", min=0)] = None,
    seed: SeedOption = None,
    jobs: Annotated[int, typer.Option(help="Processes for dft, a core each.", min=1)] = 1,
    out: Annotated[Path, typer.Option(help="The picture; svg, png or pdf by its ending.")] = Path("guidance.svg"),
    device: DeviceOption = None,
) -> None:
    """Plot a property of graphs steered to each target, against the training set.

    Example: digress plot-guidance qm9 --property mu --target 1 --target 3 --target 5 --out mu.svg
    """
    _require("qm9pack", "chemistry")
    _require("matplotlib", "chemistry")
    import torch

    from models.evaluation.guidance import DEFAULT_SEED, steered_values
    from models.evaluation.molecules import EvaluationError
    from models.evaluation.plot import KINDS, plot_targets
    from worker.plans import plan
    from worker.store import ModelStore, choose_device

    if out.suffix not in KINDS:
        raise CommandError(f"--out ends in {', '.join(KINDS)}, not {out.name!r}")
    settings = _settings_on(device)
    card = find_card(model, _cards())
    _require_measurable([name], measure, card)
    requests = {
        target: _request(
            model,
            num_graphs=num_graphs,
            seed=DEFAULT_SEED if seed is None else seed,
            targets={name: target},
            guidance_scale=guidance_scale,
            candidates=candidates,
        )
        for target in targets
    }
    _require_writable(out)
    torch.set_flush_denormal(True)
    measure_with = _measure(measure, card, settings.checkpoints, jobs=jobs)
    loaded = ModelStore(settings.checkpoints, choose_device(settings.device)).model(card.name)
    steered = {}
    for target, request in requests.items():
        try:
            with _progress_bar(f"{name} = {target:g}", num_graphs) as on_progress:
                steered[target] = steered_values(loaded, plan(request, card), name, measure_with, on_progress)
        except EvaluationError as error:
            raise CommandError(str(error)) from error
    plot_targets(steered, card.properties[name], out, title=f"{card.name}: {name} by {measure}")


@app.command()
def plot(
    model: ModelArgument,
    seed: SeedOption = None,
    out: Annotated[
        Path | None, typer.Option(help="The picture; svg, png or pdf by its ending. MODEL.png if left out.")
    ] = None,
    device: DeviceOption = None,
) -> None:
    """Plot a dozen fresh graphs of a checkpoint, and its measured quality by the number of steps.

    Example: digress plot planar --out planar.png
    """
    _require("matplotlib", "evaluate")
    _require("networkx", "evaluate")
    import torch

    from models.evaluation.plot import KINDS, plot_model
    from models.evaluation.report import DEFAULT_SEED
    from models.generation import generate
    from worker.plans import plan
    from worker.store import ModelStore, choose_device

    path = out or Path(f"{model}.png")
    if path.suffix not in KINDS:
        raise CommandError(f"--out ends in {', '.join(KINDS)}, not {path.name!r}")
    settings = _settings_on(device)
    request = _request(model, num_graphs=12, seed=DEFAULT_SEED if seed is None else seed)
    _require_writable(path)
    torch.set_flush_denormal(True)
    loaded = ModelStore(settings.checkpoints, choose_device(settings.device)).model(request.model)
    with _progress_bar("sampling", request.num_graphs) as on_progress:
        drawn = [batch.graphs for batch in generate(loaded, plan(request, loaded.card), on_progress)]
    plot_model(loaded.card, drawn, path)
    print(path)


@app.command()
def train(
    preset: Annotated[
        str | None, typer.Argument(help="Name of a preset, like qm9; `models/training/presets` has them all.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Your own graphs instead of a preset's: SMILES (.smi, or .csv with properties), node-link JSON lines, GraphML."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What the model of your --data is called; as the file is, if left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for state, logs and checkpoint; runs/NAME if left out.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")] = False,
    max_minutes: Annotated[
        float | None, typer.Option(help="Minutes of training, over all resumptions.", min=0.01)
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Change the preset, like training.batch_size=64; repeatable.")
    ] = None,
    devices: Annotated[
        str, typer.Option(help="GPUs, as Lightning counts them: auto, 2, 0,1; processes without a GPU.")
    ] = "auto",
) -> None:
    """Train a checkpoint; it can be stopped at any moment and loses a minute at most.

    Numeric columns of your own --data become properties that graphs can be steered to.

    Examples: digress train qm9 --max-minutes 90 --out runs/qm9, and after a stop the same with --resume;
    digress train --data molecules.csv --max-minutes 30
    """
    _require("lightning", "train")
    _require("qm9pack", "train")
    from models.data.file_graphs import DataFileError
    from models.training.folder import TrainingFolderError
    from models.training.plan import plan_runs
    from models.training.preset import PresetError

    try:
        runs = plan_runs(
            preset, data, name=name, out=out, resume=resume, max_minutes=max_minutes, overrides=overrides or []
        )
    except (PresetError, TrainingFolderError, DataFileError) as error:
        raise CommandError(str(error)) from error

    from models.training.run import train as run  # slow to import, so after what can go wrong

    for chosen, folder in runs:
        try:
            checkpoints = folder.checkpoints or read_settings().checkpoints
            going_on = folder.state.exists()
            finished = run(chosen, folder, resume=going_on, devices=devices, checkpoints=checkpoints)
        except SystemExit:  # Lightning's answer to Ctrl-C, once it has saved
            finished = False
        except (PresetError, DataFileError) as error:
            raise CommandError(str(error)) from error
        if not finished:
            how = "go on with the same command and --resume" if folder.state.exists() else "nothing was saved yet"
            raise CommandError(f"stopped before its end; {how}")
    served = runs[-1][1].checkpoint
    print(f"the checkpoint is in {served}; serve it with DIGRESS_CHECKPOINTS={served.parent}")


def main() -> None:
    """The entry point: errors a user can mend are one line, not a traceback."""
    # Standard output is for what a command prints.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        app()
    except (CommandError, SettingsError, CardError, ServiceError, NamingError) as error:
        _complain(str(error))
    except RedisError as error:
        _complain(f"Redis does not answer: {error}")
    except ValidationError as error:
        _complain("; ".join(f"{problem.field}: {problem.detail}" for problem in map(field_problem, error.errors())))
    except OSError as error:
        _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _complain(words: str) -> NoReturn:
    _console.print(f"digress: {words}", style="red", highlight=False, soft_wrap=True, markup=False)
    sys.exit(1)


def _settings_on(device: str | None) -> Settings:
    """The settings; those of the processes that this one starts have the same device."""
    if device is not None:
        os.environ["DIGRESS_DEVICE"] = device
    return read_settings()


def _cards() -> dict[str, ModelCard]:
    return read_cards(read_settings().checkpoints)


def _request(model: str, **fields: Any) -> AnyCompletedRequest:
    """A request for `model` with every default filled in; conditional if there are targets."""
    kind = ConditionalRequest if fields.get("targets") else GenerateRequest
    given = {name: value for name, value in fields.items() if value is not None}
    return complete(kind.model_validate({"model": model, **given}), find_card(model, _cards()))


def _require_measurable(properties: "Sequence[str]", measure: Measure, card: ModelCard) -> None:
    from models.evaluation.guidance import MEASURABLE

    if len(set(properties)) < len(properties):
        raise CommandError(f"--property {', '.join(properties)}: name each once")
    known = list(MEASURABLE[measure])
    if measure == "judge" and (judge := card.judge) is not None:
        known = [name for name in known if name in {told.name for told in judge.properties}]
    if unknown := [name for name in properties if name not in known]:
        raise CommandError(f"{measure} does not tell {', '.join(unknown)}; it tells {', '.join(known)}")


def _measure(name: Measure, card: ModelCard, checkpoints: Path, *, jobs: int) -> "MeasureFunction":
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
            return by_judge(network, [known.name for known in judge.properties])
        case _:
            _require("pyscf", "chemistry")
            _require("tblite", "chemistry")
            return lambda smiles: _by_dft(smiles, jobs=jobs)


def _by_dft(smiles: "Sequence[str]", *, jobs: int) -> "list[dict[str, float] | None]":
    from models.evaluation.quantum_batch import compute_all

    columns = (TextColumn("DFT"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console, transient=True) as bar:
        task = bar.add_task("DFT", total=None)
        found = compute_all(
            smiles, jobs=jobs, on_progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    return [found[text] for text in smiles]


def _targets(texts: list[str] | None) -> dict[str, float]:
    targets = {}
    for text in texts or []:
        name, _, value = (part.strip() for part in text.partition("="))
        if name in targets:
            raise CommandError(f"--target gives {name} twice; a graph can have only one")
        try:
            targets[name] = float(value)
        except ValueError:
            raise CommandError(f"--target takes property=value, like mu=2.5, not {text!r}") from None
    return targets


def _sizes(text: str) -> int | dict[str, int]:
    low, dash, high = text.partition("-")
    if not low.isdecimal() or (dash and not high.isdecimal()):
        raise CommandError(f"--num-nodes takes a number, like 9, or a range, like 5-9, not {text!r}")
    return {"min": int(low), "max": int(high)} if dash else int(low)


def _require_writable(path: Path) -> None:
    """What cannot be written should be known before the work; nothing is left behind by asking.

    Raises:
        OSError: if it cannot.
    """
    place = path if path.exists() else path.parent
    code = (
        errno.EISDIR
        if path.is_dir()
        else errno.ENOENT
        if not place.exists()
        else errno.EACCES
        if not os.access(place, os.W_OK)
        else None
    )
    if code is not None:
        raise OSError(code, os.strerror(code), str(path))


def _require(module: str, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise CommandError(
            f"this needs the extra '{extra}'; in the clone: .venv/bin/pip install -c constraints.txt -e '.[{extra}]'"
        )


@contextmanager
def _progress_bar(
    what: str, total: int, *, then: str | None = None
) -> Iterator[Callable[["GenerationProgress"], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console, transient=True) as bar:
        task = bar.add_task(what, total=total)

        def show(progress: "GenerationProgress") -> None:
            bar.update(task, completed=progress.fraction * total)
            if then and progress.fraction == 1:
                bar.update(task, description=then)

        yield show


if __name__ == "__main__":
    main()
