"""What a worker reports to Redis at every heartbeat."""

from typing import Annotated

from pydantic import BaseModel, Field


class WorkerReport(BaseModel):
    """How much a worker can take, how fast it is, and how much it has still to do."""

    capacity: Annotated[dict[str, int], Field(description="Model -> the most Σ n² of one step that memory holds.")] = {}
    pace: Annotated[dict[str, float], Field(description="Model -> seconds for a graph's step, per n².")] = {}
    speed: Annotated[
        float,
        Field(description="Seconds of work, by pace, that it does in a second: its lanes, and what overhead leaves."),
    ] = 1.0
    left: Annotated[float, Field(description="Seconds of work, by pace, that it has taken and not done.")] = 0.0
