"""The command `digress`, put together.

Commands are the one place that wires app, worker and models together; what is heavy is imported inside the command that
needs it, so that `digress --help` and `digress api` stay quick and free of torch.
"""

import sys

import typer

from app.commands.console import CommandError, ExitStatus, complain
from app.commands.evaluate import evaluate
from app.commands.generate import generate
from app.commands.guidance import evaluate_guidance
from app.commands.keys import app as keys
from app.commands.manual import add_command, examples
from app.commands.models import models
from app.commands.plots import plot, plot_guidance
from app.commands.sample import sample
from app.commands.serving import api, serve, worker
from app.commands.train import train

app = typer.Typer(
    help="DiGress, discrete denoising diffusion for graphs, as a service.",
    epilog=examples(
        "digress serve",
        "digress generate qm9 -n 100 --out molecules.smi",
        "digress sample planar -n 4 --out graphs.jsonl",
        "digress --install-completion",
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    serve,
    api,
    worker,
    models,
    sample,
    generate,
    evaluate,
    evaluate_guidance,
    plot_guidance,
    plot,
    train,
):
    add_command(app, _command)
app.add_typer(keys, name="keys")


@app.callback()
def _prepare() -> None:
    import structlog

    # Standard output is for what a command prints.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def main() -> None:
    """The entry point: errors a user can mend are one line, not a traceback."""
    try:
        app()
    except Exception as error:
        words = _in_one_line(error)
        if words is None:
            raise
        complain(words)
        sys.exit(ExitStatus.ERROR)


def _in_one_line(error: Exception) -> str | None:
    """What there is to say of an error that a user can mend; None of any other."""
    from pydantic import ValidationError
    from redis.exceptions import RedisError

    from app.access.api_keys import KeyNameError
    from app.http.error_handlers import field_problem
    from app.http.errors import ServiceError
    from app.settings import SettingsError
    from models.card.folder import CardError

    match error:
        case CommandError() | SettingsError() | CardError() | ServiceError() | KeyNameError():
            return str(error)
        case RedisError():
            return f"Redis does not answer: {error}"
        case ValidationError():
            return "; ".join(f"{problem.field}: {problem.detail}" for problem in map(field_problem, error.errors()))
        case OSError():
            return f"{error.filename}: {error.strerror}" if error.filename else str(error)
        case _:
            return None


if __name__ == "__main__":
    main()
