"""What a webhook's body holds."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from app.schemas import Job, JobStatus

EventType = Literal["job.succeeded", "job.failed", "job.canceled"]
_TYPES: dict[JobStatus, EventType] = {
    JobStatus.SUCCEEDED: "job.succeeded",
    JobStatus.FAILED: "job.failed",
    JobStatus.CANCELED: "job.canceled",
}


class EndedJob(Job):
    """A job that has ended, without its graphs: `links.graphs` gives them."""

    graphs: Annotated[None, Field(exclude=True)] = None


class WebhookMessage(BaseModel):
    """A job has ended (Standard Webhooks, "payload structure")."""

    type: EventType
    timestamp: Annotated[datetime, Field(description="When the job ended.")]
    data: EndedJob

    @classmethod
    def of(cls, job: EndedJob) -> Self:
        """The message about a job that has ended."""
        assert job.finished_at is not None
        return cls(type=_TYPES[job.status], timestamp=job.finished_at, data=job)
