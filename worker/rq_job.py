"""RQ's job, bound to the one function that a worker runs.

A message in Redis names a function by a dotted path, and RQ imports whatever it names. Here the name is compared with
the one that is allowed, and nothing is imported. Nor does a message's callback or webhook do anything.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from rq.job import Job

from app.jobs.keys import JOB_FUNCTION
from app.jobs.leases import MAX_RETRIES


class ForbiddenFunction(PermissionError):
    """A message that asks for another function than the one this worker runs."""


class ExecutableJob(Job):
    """A job that knows which of its executions it is."""

    execution_id = ""


def allow_only(function: Callable[..., Any]) -> type[Job]:
    """A job class whose every instance calls `function`, under the one name it has, and calls nothing else.

    Both the worker and its queues need it: a queue's registries read the jobs of dead workers by a class of their own.
    """

    class AllowedJob(ExecutableJob):
        @property
        def func(self) -> Callable[..., Any]:
            if self.func_name != JOB_FUNCTION or self.instance is not None:
                raise ForbiddenFunction(f"job {self.id} asks for {self.func_name!r}, but only {JOB_FUNCTION!r} is run")
            return partial(
                function,
                run=self.execution_id,
                tries_lost=0 if self.retries_left is None else MAX_RETRIES - self.retries_left,
                limit_seconds=self.timeout,
                metadata=message_context(self),
            )

        success_callback = failure_callback = stopped_callback = property(lambda self: None)

        def send_webhooks(self, status: str, *, exc_string: str | None = None) -> None:
            """No address that a message names is called."""

    return AllowedJob


def message_context(job: Job) -> dict[str, str]:
    """What the API sent along: `owner`, and for logs and traces `request_id`, `traceparent`."""
    return {name: str(value) for name, value in job.meta.items()}


def owner_of(job: Job) -> str:
    """Whose job it is; nobody's if an older version of the API has sent it."""
    return str(job.meta.get("owner", ""))
