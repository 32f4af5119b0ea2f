"""The command `digress`, put together.

Commands are the one place that wires app, worker and models together; what is heavy is imported inside the command that
needs it, so that `digress --help` and `digress api` stay quick and free of torch.
"""

import sys
from typing import NoReturn

import structlog
import typer
from pydantic import ValidationError
from redis.exceptions import RedisError

from app.commands.complaints import CommandError, console
from app.commands.evaluate import evaluate
from app.commands.guidance import evaluate_guidance
from app.commands.keys import app as keys
from app.commands.models import models
from app.commands.plots import plot, plot_guidance
from app.commands.sample import sample
from app.commands.serving import api, serve, worker
from app.commands.train import train
from app.errors import ServiceError, field_problem
from app.keys import NamingError
from app.settings import SettingsError
from models.card import CardError

app = typer.Typer(
    help="DiGress, discrete denoising diffusion for graphs, as a service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (serve, api, worker, models, sample, evaluate, evaluate_guidance, plot_guidance, plot, train):
    app.command()(_command)
app.add_typer(keys, name="keys")


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
    console.print(f"digress: {words}", style="red", highlight=False, soft_wrap=True, markup=False)
    sys.exit(1)


if __name__ == "__main__":
    main()
