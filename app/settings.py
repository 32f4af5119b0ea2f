"""Settings, from the environment: DIGRESS_REDIS_URL, DIGRESS_PORT and so on.

Read once, in `build()` or by a command, and passed on from there; nothing else looks at the environment for them.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, RedisDsn, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.card.folder import shipped_checkpoints


class SettingsError(ValueError):
    """A setting that is missing, does not fit, or does not fit this machine."""


class Settings(BaseSettings):
    """What can be set, and what it is when it is not."""

    model_config = SettingsConfigDict(env_prefix="DIGRESS_", env_ignore_empty=True, frozen=True)

    host: Annotated[str, Field(description="Address the API listens on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535, description="Port the API listens on.")] = 8000
    redis_url: Annotated[
        RedisDsn | None,
        Field(description="Redis or Valkey that holds queue and jobs; `digress serve` starts one if this is not set."),
    ] = None
    log_format: Annotated[
        Literal["console", "json"],
        Field(description="How API and worker write their logs: for people, or a JSON object a line."),
    ] = "console"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="What is logged at the least.")
    ] = "info"
    tracing: Annotated[
        bool,
        Field(description="Send traces of requests and jobs to a collector; OTEL_EXPORTER_OTLP_ENDPOINT says where."),
    ] = False
    checkpoints: Annotated[Path, Field(description="Folder of checkpoint folders to serve.")] = shipped_checkpoints()
    auth: Annotated[
        Literal["keys", "off"] | None,
        Field(
            description="Whether requests need an API key; not set, they need none, and the API listens on this machine only."
        ),
    ] = None
    admin_key: Annotated[
        SecretStr | None,
        Field(min_length=16, description="A key that allows everything, beside those that `digress keys` makes."),
    ] = None
    webhook_secret: Annotated[
        SecretStr | None,
        Field(min_length=16, description="What webhooks are signed with; without it there are none."),
    ] = None
    webhook_private: Annotated[
        bool, Field(description="Let webhooks go to addresses that are not public, for a network of your own.")
    ] = False
    device: Annotated[
        str,
        Field(
            pattern=r"^(auto|cpu|cuda(:\d+)?)$",
            description="Device the worker computes on; 'auto' takes a GPU if there is one.",
        ),
    ] = "auto"
    compile: Annotated[
        bool,
        Field(description="Compile networks with torch.compile, on a GPU only; a worker then takes minutes to start."),
    ] = False
    max_body_bytes: Annotated[int, Field(ge=1, description="Largest request body.")] = 65_536
    job_timeout_seconds: Annotated[
        int, Field(ge=1, description="Longest time one job may compute: its share of the worker's.")
    ] = 3_600
    lease_seconds: Annotated[
        int, Field(ge=3, description="How long a worker may be silent before its job is given to another one.")
    ] = 30
    max_queued_jobs: Annotated[
        int, Field(ge=1, description="Jobs that may wait; more are answered 503 until there is room.")
    ] = 10_000
    max_jobs: Annotated[int, Field(ge=1, le=1_000, description="Jobs that one worker computes at the same time.")] = 128
    drain_seconds: Annotated[
        float,
        Field(
            ge=0, description="How long a worker that is told to stop goes on with its jobs before it hands them back."
        ),
    ] = 8.0
    worker_metrics_port: Annotated[
        int | None,
        Field(
            ge=1, le=65_535, description="Port that a worker answers Prometheus on, at DIGRESS_HOST; none if not set."
        ),
    ] = None
    job_ttl_seconds: Annotated[
        int, Field(ge=1, description="How long a job and its graphs can be read after it ended.")
    ] = 86_400

    @property
    def is_public(self) -> bool:
        """Whether other machines can reach the API."""
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    def require_redis_url(self) -> str:
        """The URL of Redis, for those who do not start one.

        Raises:
            SettingsError: if it is not set.
        """
        if self.redis_url is None:
            raise SettingsError("DIGRESS_REDIS_URL is not set; set it, or let `digress serve` start a server")
        return str(self.redis_url)


def read_settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: if one does not fit; it is called by the name of its variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(map(_describe, error.errors()))) from None


def _describe(mistake: ErrorDetails) -> str:
    words = f"DIGRESS_{str(mistake['loc'][0]).upper()}: {mistake['msg']}"
    # A URL may hold a password, and a key is one.
    return (
        words
        if mistake["loc"][0] in {"redis_url", "admin_key", "webhook_secret"}
        else f"{words}, not {mistake['input']!r}"
    )
