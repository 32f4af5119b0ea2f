"""Lua scripts, which Redis runs in one go, so that nothing is ever half done.

Each is a file in `app/jobs/scripts`. Its head says what it does and what it answers, and names its keys and arguments,
one a line, in the order in which Redis gets them:

    -- USES job                                  the functions of scripts/lib/job.lua stand before this script
    local record = KEYS[1]                       -- hash: the job's record
    local fields = cmsgpack.unpack(ARGV[1])      -- map: fields of the record

`load` reads the names, and callers give keys and arguments by them:

    change = load(redis, "update")
    change(keys={"record": record_key(job_id), ...}, args={"fields": pack_map({"status": "running"}), ...})

Data of any length is one argument, in MessagePack, which has room for bytes and which Lua in Redis can read (`cmsgpack`):
`pack_map` and `pack_list` write it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

import msgpack
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

Value: TypeAlias = str | bytes | int | float

_NAMED = re.compile(r"^local (\w+) = [^\n]*?\b(KEYS|ARGV)\[(\d+)\]\)?\s+-- \S", re.MULTILINE)
_POSITION = re.compile(r"\b(KEYS|ARGV)\b")
_USES = re.compile(r"^-- USES (\w+)$", re.MULTILINE)


class ScriptHeadError(ValueError):
    """A script whose head does not name its keys and arguments, each once, in order."""


class ScriptCallError(TypeError):
    """A call that does not give exactly the keys and arguments that the script names."""


@dataclass(frozen=True)
class Source:
    """A script's text, the functions that it uses included, and the names of its keys and arguments in order."""

    name: str
    text: str
    keys: tuple[str, ...]
    args: tuple[str, ...]


class Script:
    """A script that a client of Redis can run."""

    def __init__(self, source: Source, redis: Redis | AsyncRedis) -> None:
        self._source, self._run = source, redis.register_script(source.text)

    def __call__(self, *, keys: Mapping[str, str], args: Mapping[str, Value] | None = None) -> Any:
        """The script's answer; something to await if the client is asynchronous.

        Raises:
            ScriptCallError: if a key or an argument is missing, or there is one that the script does not name.
        """
        ordered_keys = self._in_order("keys", self._source.keys, keys)
        return self._run(ordered_keys, self._in_order("arguments", self._source.args, args or {}))

    def _in_order(self, what: str, names: tuple[str, ...], given: Mapping[str, Value]) -> list[Any]:
        if given.keys() != set(names):
            raise ScriptCallError(
                f"the script {self._source.name!r} takes the {what} {', '.join(names) or 'none'}; "
                f"missing: {', '.join(sorted(set(names) - given.keys())) or 'none'}, "
                f"unknown: {', '.join(sorted(given.keys() - set(names))) or 'none'}"
            )
        return [given[name] for name in names]


def load(redis: Redis | AsyncRedis, name: str) -> Script:
    """The script of the file `name`.lua, for a client."""
    return Script(_read(name), redis)


@cache
def _read(name: str) -> Source:
    folder = files("app.jobs") / "scripts"
    script = (folder / f"{name}.lua").read_text("utf-8")
    libraries = [(folder / "lib" / f"{used}.lua").read_text("utf-8") for used in _USES.findall(script)]
    return parse(name, script, libraries)


def parse(name: str, script: str, libraries: Iterable[str] = ()) -> Source:
    """Read a script's head.

    Raises:
        ScriptHeadError: if a key or an argument has no name of its own, or is out of order.
    """
    names: dict[str, list[str]] = {"KEYS": [], "ARGV": []}
    for label, kind, position in _NAMED.findall(script):
        if int(position) != len(names[kind]) + 1:
            raise ScriptHeadError(f"{name}.lua: {label} is {kind}[{position}], out of order")
        names[kind].append(label)
    labels = names["KEYS"] + names["ARGV"]
    if not script.startswith("-- ") or len(set(labels)) < len(labels):
        raise ScriptHeadError(f"{name}.lua must begin with what it does, and have each name once")
    if len(_POSITION.findall(script)) != len(labels):
        raise ScriptHeadError(
            f"{name}.lua: KEYS and ARGV stand in its head alone, as `local name = KEYS[1] -- what it is`"
        )
    return Source(name, "\n".join([*libraries, script]), tuple(names["KEYS"]), tuple(names["ARGV"]))


def pack_map(fields: Mapping[str, Value]) -> bytes:
    """A MessagePack map of strings: what redis-py would send for these values, byte by byte."""
    return _packed({name: _sent(value) for name, value in fields.items()})


def pack_list(values: Iterable[Value]) -> bytes:
    """A MessagePack list of strings."""
    return _packed([_sent(value) for value in values])


def _packed(value: Mapping[str, bytes] | Sequence[bytes]) -> bytes:
    # Lua has one kind of string, of bytes, so that all are packed as the older of MessagePack's two.
    packed: bytes = msgpack.packb(value, use_bin_type=False)
    return packed


def _sent(value: Value) -> bytes:
    return value if isinstance(value, bytes) else (value if isinstance(value, str) else repr(value)).encode()
