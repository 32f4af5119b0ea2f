"""Names in Redis: RQ's are as RQ makes them, and ours are spelled in one place."""

import re
from pathlib import Path

from redis import Redis
from rq import Queue

from app.jobs import keys

ROOT = Path(__file__).parents[3]
DOCSTRING = re.compile(r'"""(?s:.*?)"""')
# With a space behind it begins a message of a command.
PREFIX = re.compile("digress:(?! )")


def test_the_names_of_rq_are_those_that_rq_makes(redis: Redis) -> None:
    queue = Queue(keys.QUEUE, connection=redis)

    assert queue.key == keys.RQ_QUEUE_KEY
    assert queue.started_job_registry.key == keys.RQ_STARTED_KEY


def test_the_prefix_of_names_is_spelled_once() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): len(PREFIX.findall(DOCSTRING.sub("", path.read_text())))
        for folder in ("app", "worker")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".lua"}
    }

    assert {path: number for path, number in found.items() if number} == {"app/jobs/keys.py": 1}
