"""Containers in miniature, on a machine without a container engine: processes in namespaces of their own.

Each has a network with an address of its own, as on a host of its own, a read-only root that holds the system, this
repository and its environment, and what is mounted besides; an empty /tmp; the user it was given, and no capabilities. The
others' names are resolved by a small name server, as a container engine does. Memory and processor limits are not imitated.
"""

import itertools
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.commands.embedded_redis import find_redis_server

ROOT = Path(__file__).parents[2]
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/sbin", "/etc", "/proc", "/dev", "/sys")
_PATH = "/opt/bin:/opt/digress/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
# Programs that images have and this machine may not.
_PYTHON = "#!/opt/digress/bin/python\n"
_PROGRAMS = {
    "digress": '#!/bin/sh\nexec /opt/digress/bin/python -m app.cli "$@"\n',
    "wget": _PYTHON + "import sys, urllib.request\nurllib.request.urlopen(sys.argv[-1], timeout=4)\n",
    "valkey-cli": _PYTHON
    + "import os, redis\nprint('PONG' if redis.Redis(password=os.environ['REDISCLI_AUTH']).ping() else 'no')\n",
}
# Runs as root inside the new network: builds the root file system, and becomes the service.
_ENTER = """
set -e
root=$1; resolver=$2; user=$3; shift 3
mount --make-rprivate /
mount -t tmpfs root "$root"
mkdir "$root/tmp" "$root/opt"
while [ "$1" != -- ]; do
    mkdir -p "$root$2"
    mount --rbind "$1" "$root$2"
    if [ "$3" = ro ]; then mount -o remount,bind,ro "$root$2"; fi
    shift 3
done
shift
mount --bind "$resolver" "$root/etc/resolv.conf"
mount -o remount,ro "$root"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
cd "$root"
exec chroot "$root" setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


def why_not() -> str | None:
    """Why there can be no such containers here; None if there can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "namespaces are for root on Linux"
    if missing := [name for name in ("ip", "unshare", "setpriv", "nsenter") if shutil.which(name) is None]:
        return f"{', '.join(missing)} not installed (apt-get install iproute2 util-linux)"
    tried = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False)
    return "this machine allows no namespaces" if tried.returncode else None


@dataclass(frozen=True)
class Mount:
    """A folder of this machine as the container sees it."""

    source: Path
    target: str
    is_read_only: bool = True


@dataclass(frozen=True)
class Container:
    """A service that runs."""

    name: str
    address: str
    namespace: str
    process: subprocess.Popen[bytes]
    user: int
    environment: Mapping[str, str]
    log: Path

    def execute(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as the service's user."""
        enter = ["nsenter", f"--target={self.process.pid}", "--net", "--mount", "--root", "--wd"]
        become = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", "--bounding-set=-all"]
        return subprocess.run(
            [*enter, *become, *command],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def cut_off(self) -> None:
        """Pull the cable."""
        _ip("-n", self.namespace, "link", "set", "eth0", "down")


@dataclass
class Network:
    """A bridge with an address on this machine, and the names of who is on it."""

    bridge: str
    prefix: str
    folder: Path
    names: dict[str, list[str]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(2))

    @contextmanager
    def container(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        user: int,
        mounts: Sequence[Mount] = (),
    ) -> Iterator[Container]:
        """A service; killed in the end."""
        number = next(self._numbers)
        address, namespace, link = f"{self.prefix}.{number}", f"{self.bridge}-{number}", f"{self.bridge}-{number}"
        folder = self.folder / f"{name}-{number}"
        with ExitStack() as stack:
            _ip("netns", "add", namespace)
            stack.callback(_ip, "netns", "delete", namespace)
            _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace)
            stack.callback(_ip, "link", "delete", link)
            _ip("link", "set", link, "master", self.bridge, "up")
            _ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                _ip("-n", namespace, "link", "set", device, "up")
            variables = {**environment, "PATH": _PATH, "PYTHONPATH": "/src"}
            process = self._start(folder, namespace, command, variables, user, mounts)
            stack.callback(_kill, process)
            self.names.setdefault(name, []).append(address)
            stack.callback(self.names[name].remove, address)
            yield Container(name, address, namespace, process, user, variables, folder / "log")

    def _start(
        self,
        folder: Path,
        namespace: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        user: int,
        mounts: Sequence[Mount],
    ) -> subprocess.Popen[bytes]:
        (folder / "root").mkdir(parents=True)
        (folder / "bin").mkdir()
        for program, text in _PROGRAMS.items():
            (folder / "bin" / program).write_text(text)
            (folder / "bin" / program).chmod(0o755)
        shutil.copy(find_redis_server(), folder / "bin" / "valkey-server")
        (folder / "resolv.conf").write_text(f"nameserver {self.prefix}.1\n")
        system = [
            Mount(Path(path), path, is_read_only=False) for path in (*_SYSTEM, sys.base_prefix) if Path(path).exists()
        ]
        own = [
            Mount(folder / "bin", "/opt/bin"),
            Mount(Path(sys.prefix), "/opt/digress"),
            Mount(ROOT, "/src"),
        ]
        arguments = itertools.chain.from_iterable(
            (str(mount.source), mount.target, "ro" if mount.is_read_only else "rw")
            for mount in (*system, *own, *mounts)
        )
        with (folder / "log").open("wb") as log:
            return subprocess.Popen(
                [
                    *("ip", "netns", "exec", namespace, "sh", "-c", _ENTER, "enter"),
                    *(str(folder / "root"), str(folder / "resolv.conf"), str(user)),
                    *(*arguments, "--", *command),
                ],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """A network for containers, with a name server."""
    number = random.SystemRandom().randrange(1, 65_535)
    bridge, prefix = f"dg{number:04x}", f"10.{200 + number // 256 % 50}.{number % 256}"
    _ip("link", "add", bridge, "type", "bridge")
    try:
        _ip("address", "add", f"{prefix}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        found = Network(bridge, prefix, folder)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind((f"{prefix}.1", 53))
            threading.Thread(target=_tell_names, args=(server, found.names), daemon=True).start()
            yield found
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
    finally:
        _ip("link", "delete", bridge)


def _tell_names(server: socket.socket, names: Mapping[str, list[str]]) -> None:
    """Answer questions for addresses until the socket is closed (RFC 1035, section 4)."""
    with suppress(OSError):
        while True:
            question, sender = server.recvfrom(512)
            if not question:
                return
            server.sendto(_answer(question, names), sender)


def _answer(question: bytes, names: Mapping[str, list[str]]) -> bytes:
    labels, at = [], 12
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    asked = question[12 : at + 5]
    (kind,) = struct.unpack("!H", question[at + 1 : at + 3])
    known = names.get(".".join(labels).lower())
    addresses = known if known and kind == 1 else []
    header = question[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, len(addresses), 0, 0)
    return (
        header
        + asked
        + b"".join(struct.pack("!HHHLH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(address) for address in addresses)
    )


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
