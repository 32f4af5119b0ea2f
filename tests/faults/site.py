"""The service as separate processes, each of which can be hurt: Redis with its file, a proxy before it, the API, two workers."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
from redis import Redis

from app.commands.embedded_redis import find_redis_server, redis_command
from app.commands.supervisor import WORKER_NICENESS, free_port
from models.card.folder import shipped_checkpoints
from tests import tcp_proxy
from tests.servers import DIGRESS, answers, running, wait_until

LEASE_SECONDS = 5
# Long enough to read a job twice, short enough to see that it goes.
TTL_SECONDS = 120
ADMIN_KEY = "for-these-runs-alone"
# What is answered must outlive a killed Redis; elsewhere it is kept as docker-compose.yml says.
_ALWAYS = {"appendonly": "yes", "appendfsync": "always"}
_AS_DEPLOYED = {"appendonly": "yes"}


class Site:
    """Processes by name; one that is started again takes the place of the one before."""

    def __init__(
        self, folder: Path, logs: Path, stack: ExitStack, settings: dict[str, str], *, is_hurt: bool = True
    ) -> None:
        self._folder, self._logs = folder, logs
        self._stack, self._processes = stack, dict[str, subprocess.Popen[bytes]]()
        self._redis_port, self.port = free_port(), free_port()
        self._proxy_port = free_port() if is_hurt else self._redis_port
        self._durability = _ALWAYS if is_hurt else _AS_DEPLOYED
        self.redis = Redis(port=self._redis_port)
        self._environment = {
            "DIGRESS_REDIS_URL": f"redis://127.0.0.1:{self._proxy_port}/0",
            "DIGRESS_CHECKPOINTS": str(shipped_checkpoints()),
            "DIGRESS_PORT": str(self.port),
            "DIGRESS_LEASE_SECONDS": str(LEASE_SECONDS),
            "DIGRESS_JOB_TTL_SECONDS": str(TTL_SECONDS),
            "DIGRESS_AUTH": "keys",
            "DIGRESS_ADMIN_KEY": ADMIN_KEY,
            "DIGRESS_LOG_FORMAT": "json",
            "OMP_WAIT_POLICY": "PASSIVE",
            **settings,
        }

    def start(self, name: str) -> None:
        """Start a process, again if it is no more."""
        redis = redis_command(find_redis_server(), self._folder)
        options = self._durability | {"bind": "127.0.0.1", "port": str(self._redis_port)}
        commands: dict[str, Sequence[str]] = {
            # Later options win. The proxy needs a port.
            "redis": [*redis, *(part for key, value in options.items() for part in (f"--{key}", value))],
            "proxy": [sys.executable, tcp_proxy.__file__, str(self._proxy_port), str(self._redis_port)],
            "api": [DIGRESS, "api"],
        }
        command = list(commands.get(name, [DIGRESS, "worker"]))
        log = self._logs / f"{name}.log"
        process = self._processes[name] = self._stack.enter_context(running(command, self._environment, log))
        if name not in commands:
            os.setpriority(os.PRIO_PROCESS, process.pid, WORKER_NICENESS)  # as `digress serve` does

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process."""
        self._processes[name].send_signal(number)

    def is_up(self, name: str) -> bool:
        """Whether a process runs, be it stopped."""
        return self._processes[name].poll() is None

    async def wait_for_end(self, name: str) -> None:
        """Return when a process has ended."""
        while self.is_up(name):
            await asyncio.sleep(0.05)

    def memory_bytes(self, name: str) -> int:
        """What a process has in memory; 0 if it has ended."""
        try:
            status = Path(f"/proc/{self._processes[name].pid}/statm").read_text()
        except FileNotFoundError:
            return 0
        return int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def data_bytes(self) -> int:
        """What Redis holds."""
        return int(self.redis.info("memory")["used_memory_dataset"])

    def wait_until_redis_answers(self) -> None:
        """Return when Redis has read its file."""
        wait_until(lambda: answers(self.redis), seconds=30)

    def client(self, key: str = ADMIN_KEY) -> httpx2.AsyncClient:
        """Of the API, for many requests at a time."""
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=100)
        headers = {"Authorization": f"Bearer {key}"}
        return httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30, limits=limits, trust_env=False
        )

    def key(self, name: str) -> str:
        """A new API key."""
        environment = os.environ | self._environment
        made = subprocess.run([DIGRESS, "keys", "create", name], env=environment, capture_output=True, check=True)
        return made.stdout.decode().strip()


@contextmanager
def site(
    logs: Path | None = None,
    workers: Sequence[str] = ("worker-a", "worker-b"),
    *,
    is_hurt: bool = True,
    **settings: str,
) -> Iterator[Site]:
    """All of it, ready; nothing is left of it afterwards but the logs, if a folder is given for them.

    Unless it `is_hurt`, there is no proxy before Redis.
    """
    with tempfile.TemporaryDirectory(prefix="digress-faults-") as folder, ExitStack() as stack:
        if logs:
            logs.mkdir(parents=True, exist_ok=True)
        made = Site(Path(folder), logs or Path(folder), stack, settings, is_hurt=is_hurt)
        stack.callback(made.redis.close)
        made.start("redis")
        made.wait_until_redis_answers()
        for name in (*(["proxy"] if is_hurt else []), "api", *workers):
            made.start(name)
        address = f"http://127.0.0.1:{made.port}/health/ready"

        def ready() -> bool:
            try:
                return httpx2.get(address).status_code == 200
            except httpx2.TransportError:
                return False

        wait_until(ready, seconds=120)
        wait_until(lambda: made.redis.zcard("digress:workers") == len(workers), seconds=120)
        yield made
