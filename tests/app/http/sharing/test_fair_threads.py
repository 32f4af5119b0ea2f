"""Owners take turns at the threads, and what nobody waits for is not done."""

import asyncio
import threading

from app.http.sharing.fair_threads import FairThreads


def test_an_owner_with_much_to_do_lets_another_in_after_one_piece() -> None:
    done: list[str] = []
    gate = threading.Event()

    async def run() -> None:
        threads = FairThreads(1)
        first = asyncio.create_task(threads.run("busy", gate.wait, 10))
        await asyncio.sleep(0)
        more = [asyncio.create_task(threads.run("busy", done.append, f"busy {number}")) for number in range(5)]
        await asyncio.sleep(0)
        other = asyncio.create_task(threads.run("other", done.append, "other"))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, *more, other)

    asyncio.run(run())

    assert done == ["busy 0", "other", "busy 1", "busy 2", "busy 3", "busy 4"]


def test_what_is_canceled_before_its_turn_is_never_done_and_takes_no_place() -> None:
    done: list[str] = []
    gate = threading.Event()

    async def run() -> None:
        threads = FairThreads(1)
        first = asyncio.create_task(threads.run("one", gate.wait, 10))
        await asyncio.sleep(0)
        gone = [asyncio.create_task(threads.run("one", done.append, "gone")) for _ in range(100)]
        await asyncio.sleep(0)
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        last = asyncio.create_task(threads.run("two", done.append, "last"))
        gate.set()
        await asyncio.gather(first, last)
        await threads.run("three", done.append, "again")

    asyncio.run(run())

    assert done == ["last", "again"]
