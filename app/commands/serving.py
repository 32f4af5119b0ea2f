"""`digress serve`, `digress api` and `digress worker`: the whole service, or a part of it."""

import logging
import os
import sys

import typer

from app.commands.configuration import settings_with
from app.commands.options import DeviceOption

# How long a stopping API waits for running requests.
_GRACE_SECONDS = 2
_SWITCH_SECONDS = 0.0005


def serve(device: DeviceOption = None) -> None:
    """Run everything on this machine: Redis if there is none, the API and a worker.

    Settings come from the environment: DIGRESS_HOST, DIGRESS_PORT, DIGRESS_REDIS_URL, DIGRESS_CHECKPOINTS, DIGRESS_DEVICE, …

    Examples:
        digress serve
        DIGRESS_PORT=9000 DIGRESS_CHECKPOINTS=runs/molecules digress serve
    """
    from app.commands.supervisor import serve as run

    raise typer.Exit(run(settings_with(device), lambda message: print(f"digress: {message}", flush=True)))


def api() -> None:
    """Run the API alone; needs DIGRESS_REDIS_URL.

    Examples:
        DIGRESS_REDIS_URL=redis://localhost:6379/0 digress api
        DIGRESS_HOST=0.0.0.0 DIGRESS_AUTH=keys digress api
    """
    # Layouts of pictures are small computations; threads for them would take cores from workers.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Threads that draw pictures give way soon to the one that answers everybody.
    sys.setswitchinterval(_SWITCH_SECONDS)
    import uvicorn

    from app.http.sharing.connections import Guard, OneLineASecond, guarded_by, raise_file_limit
    from app.jobs.observability.setup import configure_logging
    from app.main import build
    from app.settings import read_settings

    settings = read_settings()
    configure_logging(settings)
    application = build(settings)
    logging.getLogger("asyncio").addFilter(OneLineASecond())
    most = min(settings.max_connections, raise_file_limit())
    # One client never has them all, however few the system allows.
    guard = Guard(most, min(settings.max_client_connections, -(-most // 2)), application.state.metrics.count_refusal)
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            host=settings.host,
            port=settings.port,
            http=guarded_by(guard),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    application.state.is_stopping = lambda: server.should_exit
    server.run()
    if not server.started:
        raise typer.Exit(1)


def worker(device: DeviceOption = None) -> None:
    """Run a worker alone; needs DIGRESS_REDIS_URL.

    Examples:
        DIGRESS_REDIS_URL=redis://localhost:6379/0 digress worker
        OMP_NUM_THREADS=2 digress worker --device cpu
    """
    from worker.__main__ import main as run

    settings_with(device)
    raise typer.Exit(run())
