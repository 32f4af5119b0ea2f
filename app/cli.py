"""The command `digress`.

Only the commands wire app, worker and models together. Each imports what is heavy when it runs, so that `digress --help`
and `digress api` start quickly and without torch.
"""

import sys

import typer

from app.commands.console import CommandError, ExitStatus, print_error
from app.commands.evaluate import evaluate
from app.commands.evaluate_guidance import evaluate_guidance
from app.commands.generate import generate
from app.commands.help import add_command, format_examples
from app.commands.keys import app as keys
from app.commands.models import models
from app.commands.plots import plot, plot_guidance
from app.commands.sample import sample
from app.commands.serving import api, serve, worker
from app.commands.train import train

app = typer.Typer(
    help="DiGress, discrete denoising diffusion for graphs, as a service.",
    epilog=format_examples(
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

    # Standard output is for the results of commands.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def main() -> None:
    """The entry point: errors that the user can fix are one line, not a traceback."""
    try:
        app()
    except Exception as error:
        message = _message_of(error)
        if message is None:
            raise
        print_error(message)
        sys.exit(ExitStatus.ERROR)


def _message_of(error: Exception) -> str | None:
    """One line about an error that the user can fix; None for any other error."""
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
