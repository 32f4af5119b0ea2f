"""Settings, from the environment: DIGRESS_REDIS_URL, DIGRESS_PORT and so on.

Read once, in `build()` or in a `__main__`, and passed on from there; nothing else looks at the environment.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, RedisDsn
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.card import shipped_checkpoints


class Settings(BaseSettings):
    """What can be set, and what it is when it is not."""

    model_config = SettingsConfigDict(env_prefix="DIGRESS_", frozen=True)

    host: Annotated[str, Field(description="Address the API listens on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535, description="Port the API listens on.")] = 8000
    redis_url: Annotated[
        RedisDsn | None,
        Field(description="Redis or Valkey that holds queue and jobs; `digress serve` starts one if this is not set."),
    ] = None
    checkpoints: Annotated[Path, Field(description="Folder of checkpoint folders to serve.")] = shipped_checkpoints()
    device: Annotated[
        str,
        Field(
            pattern=r"^(auto|cpu|cuda(:\d+)?)$",
            description="Device the worker computes on; 'auto' takes a GPU if there is one.",
        ),
    ] = "auto"
    max_body_bytes: Annotated[int, Field(ge=1, description="Largest request body.")] = 65_536
    job_timeout_seconds: Annotated[int, Field(ge=1, description="Longest time one job may compute.")] = 3_600
    lease_seconds: Annotated[
        int, Field(ge=3, description="How long after a worker's death its job is given to another one.")
    ] = 30
    job_ttl_seconds: Annotated[
        int, Field(ge=1, description="How long a job and its graphs can be read after it ended.")
    ] = 86_400
