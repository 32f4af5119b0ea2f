"""What a worker reports to Redis at every heartbeat."""

from typing import Annotated

from pydantic import BaseModel, Field


class WorkerReport(BaseModel):
    """How much a worker can take, how fast it is, and how much it has still to do."""

    capacity: Annotated[
        dict[str, int],
        Field(description="Model -> the highest cost of one step that fits into memory (`models.card.cost`)."),
    ] = {}
    pace: Annotated[dict[str, float], Field(description="Model -> seconds per unit of cost.")] = {}
    speed: Annotated[
        float,
        Field(description="Seconds of work, by pace, that it does in a second: its lanes, and what overhead leaves."),
    ] = 1.0
    left: Annotated[float, Field(description="Seconds of work, by pace, that it has taken and not done.")] = 0.0
    weight: Annotated[
        float | None, Field(description="Sum of the weights of the jobs it computes; None if it does not say.")
    ] = None
