"""Scripts are called by names, and what they are given arrives unchanged."""

import asyncio
from pathlib import Path

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.jobs import lua
from app.jobs.lua import ScriptCallError, ScriptHeadError, Source

SCRIPTS = Path(lua.__file__).parent / "scripts"
APPEND: dict[str, lua.Value] = {"length": 0, "values": lua.pack_list(["a", "b"]), "seconds_kept": 60}
ALL_BYTES = bytes(range(256))


@pytest.mark.parametrize("name", sorted(path.stem for path in SCRIPTS.glob("*.lua")))
def test_every_script_says_what_it_does_and_redis_can_compile_it(redis: Redis, name: str) -> None:
    source = lua._read(name)

    assert source.keys
    assert "Answers" in (SCRIPTS / f"{name}.lua").read_text()
    assert redis.script_load(source.text)


def test_the_head_names_keys_and_arguments_in_order() -> None:
    head = """-- Do something.
local list = KEYS[1]                     -- list: some
local number = tonumber(ARGV[1])         -- a number
local fields = cmsgpack.unpack(ARGV[2])  -- map: others
local other = 1
"""
    assert lua.parse("some", head) == Source("some", head, ("list",), ("number", "fields"))


@pytest.mark.parametrize(
    "script",
    [
        "local list = KEYS[1] -- a script that does not say what it does\n",
        "-- Out of order.\nlocal list = KEYS[2] -- list\n",
        "-- Not said what it is.\nlocal list = KEYS[1]\n",
        "-- One name twice.\nlocal list = KEYS[1] -- list\nlocal list = ARGV[1] -- list\n",
        "-- A position in its midst.\nlocal list = KEYS[1] -- list\nreturn ARGV[1]\n",
        "-- All at once.\nlocal list = KEYS[1] -- list\nredis.call('RPUSH', list, unpack(ARGV, 3))\n",
    ],
)
def test_a_head_without_names_is_refused(script: str) -> None:
    with pytest.raises(ScriptHeadError, match=r"some\.lua"):
        lua.parse("some", script)


def test_a_call_gives_exactly_what_the_script_names(redis: Redis) -> None:
    append = lua.load(redis, "append")

    with pytest.raises(ScriptCallError, match=r"'append' takes the keys list; missing: list, unknown: record"):
        append(keys={"record": "x"}, args=APPEND)
    with pytest.raises(ScriptCallError, match=r"missing: length, seconds_kept, unknown: none"):
        append(keys={"list": "x"}, args={"values": b""})
    with pytest.raises(ScriptCallError, match=r"missing: none, unknown: more"):
        append(keys={"list": "x"}, args=APPEND | {"more": 1})
    append(keys={"list": "x"}, args=APPEND)

    assert redis.lrange("x", 0, -1) == [b"a", b"b"]


def test_an_asynchronous_client_runs_the_same_script(redis_url: str, redis: Redis) -> None:
    async def append() -> None:
        async with AsyncRedis.from_url(redis_url) as client:
            script = lua.load(client, "append")
            with pytest.raises(ScriptCallError):
                await script(keys={}, args=APPEND)
            await script(keys={"list": "x"}, args=APPEND)

    asyncio.run(append())

    assert redis.lrange("x", 0, -1) == [b"a", b"b"]


def test_packed_values_arrive_as_redis_py_sends_them(redis: Redis) -> None:
    fields: dict[str, lua.Value] = {"bytes": ALL_BYTES, "text": "ᾱ", "number": 7, "fraction": 1e-6, "empty": ""}
    script = "local f = cmsgpack.unpack(ARGV[1]) for k, v in pairs(f) do redis.call('HSET', KEYS[1], k, v) end"
    redis.hset("sent", mapping=dict(fields.items()))

    redis.eval(script, 1, "packed", lua.pack_map(fields))

    assert redis.hgetall("packed") == redis.hgetall("sent")


def test_a_list_may_be_longer_than_what_lua_can_unpack(redis: Redis) -> None:
    values = [f"{number}".encode() * 9 for number in range(20_000)]

    lua.load(redis, "append")(keys={"list": "x"}, args=APPEND | {"values": lua.pack_list(values)})

    assert redis.lrange("x", 0, -1) == values
