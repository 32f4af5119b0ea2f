"""Settings, from the environment: DIGRESS_REDIS_URL, DIGRESS_PORT and so on.

`build()` or a command reads them once and passes them on; nothing else reads them from the environment.
"""

import re
from base64 import b64decode
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AnyUrl, BeforeValidator, Field, SecretStr, UrlConstraints, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from models.card.folder import shipped_checkpoints


class SettingsError(ValueError):
    """A setting is missing, invalid, or impossible on this machine."""


def _check_redis_url(url: AnyUrl) -> AnyUrl:
    if url.scheme == "unix" and (url.host or not (url.path or "").startswith("/")):
        raise ValueError("a socket is named by its whole path, as in unix:///run/redis/redis.sock")
    return url


RedisUrl = Annotated[
    AnyUrl, UrlConstraints(allowed_schemes=["redis", "rediss", "unix"]), AfterValidator(_check_redis_url)
]


def _read_hosts(text: object) -> object:
    """`Digress.example, *.lab.example.` as ("digress.example", "*.lab.example")."""
    if not isinstance(text, str):
        return text
    hosts = tuple(part.strip().removesuffix(".").lower() for part in text.split(",") if part.strip())
    return tuple(_read_host(host) for host in hosts)


def _read_host(host: str) -> str:
    if host == "*" or re.fullmatch(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*", host):
        return host
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        raise ValueError(
            f"{host!r} is not a host; give names without scheme and port, like digress.example, *.lab.example"
        ) from None


Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_read_hosts)]


def _check_webhook_secret(secret: SecretStr) -> SecretStr:
    prefix, _, encoded = secret.get_secret_value().partition("_")
    with suppress(ValueError):
        if prefix == "whsec" and 24 <= len(b64decode(encoded, validate=True)) <= 64:
            return secret
    raise ValueError(
        "it must be whsec_ and the base64 of 24 to 64 bytes; make one with: echo whsec_$(openssl rand -base64 32)"
    )


WebhookSecret = Annotated[SecretStr, AfterValidator(_check_webhook_secret)]


class Settings(BaseSettings):
    """All settings with their defaults."""

    model_config = SettingsConfigDict(env_prefix="DIGRESS_", env_ignore_empty=True, frozen=True)

    host: Annotated[str, Field(description="Address the API listens on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535, description="Port the API listens on.")] = 8000
    redis_url: Annotated[
        RedisUrl | None,
        Field(description="Redis or Valkey for the queue and the jobs; `digress serve` starts one if this is not set."),
    ] = None
    log_format: Annotated[
        Literal["console", "json"],
        Field(description="Format of the logs of API and worker: text for people, or one JSON object per line."),
    ] = "console"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="Lowest level that is logged.")
    ] = "info"
    tracing: Annotated[
        bool,
        Field(
            description="Send traces of requests and jobs to a collector; OTEL_EXPORTER_OTLP_ENDPOINT is its address."
        ),
    ] = False
    checkpoints: Annotated[Path, Field(description="Folder of checkpoint folders to serve.")] = shipped_checkpoints()
    auth: Annotated[
        Literal["keys", "off"] | None,
        Field(
            description="Whether requests need an API key. If not set, they need none, and the API listens on this machine only."
        ),
    ] = None
    allowed_hosts: Annotated[
        Hosts,
        Field(
            description="Hosts that requests may be for, besides localhost, separated by commas: names, *.example.org, or *."
        ),
    ] = ()
    admin_key: Annotated[
        SecretStr | None,
        Field(
            min_length=16, description="A key that allows everything, in addition to those that `digress keys` makes."
        ),
    ] = None
    webhook_secret: Annotated[
        WebhookSecret | None,
        Field(
            description="Secret that signs webhooks, `whsec_` and the base64 of 24 bytes or more; without it there are none."
        ),
    ] = None
    webhook_private: Annotated[
        bool, Field(description="Allow webhooks to addresses that are not public, for a private network.")
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
        int, Field(ge=1, description="Longest computing time of one job: its share of the worker's time.")
    ] = 3_600
    lease_seconds: Annotated[
        int, Field(ge=3, description="How long a worker may be silent before its jobs are given to another worker.")
    ] = 30
    max_queued_jobs: Annotated[
        int, Field(ge=1, description="Jobs that may wait; further requests are answered 503.")
    ] = 10_000
    max_owner_jobs: Annotated[
        int,
        Field(ge=1, description="Jobs of one API key that may wait or run; further requests of it are answered 429."),
    ] = 2_000
    max_owner_seconds: Annotated[
        float,
        Field(gt=0, description="Seconds of work that these may be; a single job may be more."),
    ] = 86_400.0
    max_streams: Annotated[
        int,
        Field(ge=1, description="Callers of one API that may wait for jobs; further event streams are answered 503."),
    ] = 5_000
    max_owner_streams: Annotated[
        int, Field(ge=1, description="Of these, callers with one API key; further event streams are answered 429.")
    ] = 2_000
    max_connections: Annotated[
        int, Field(ge=1, description="Open connections of one API; further ones are answered 503 and closed.")
    ] = 10_000
    max_client_connections: Annotated[
        int,
        Field(ge=1, description="Of these, connections from one address; further ones are answered 429 and closed."),
    ] = 5_000
    max_jobs: Annotated[int, Field(ge=1, le=1_000, description="Jobs that one worker computes at the same time.")] = 128
    drain_seconds: Annotated[
        float,
        Field(ge=0, description="How long a stopping worker continues its jobs before it returns them to the queue."),
    ] = 8.0
    worker_metrics_port: Annotated[
        int | None,
        Field(
            ge=1, le=65_535, description="Port of a worker's metrics for Prometheus, on DIGRESS_HOST; none if not set."
        ),
    ] = None
    job_ttl_seconds: Annotated[int, Field(ge=1, description="How long an ended job and its graphs are kept.")] = 86_400

    @property
    def is_public(self) -> bool:
        """Whether other machines can reach the API."""
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    def require_redis_url(self) -> str:
        """The URL of Redis, which must be set.

        Raises:
            SettingsError: if it is not set.
        """
        if self.redis_url is None:
            raise SettingsError("DIGRESS_REDIS_URL is not set; set it, or let `digress serve` start a server")
        return str(self.redis_url)


def read_settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: if a setting is invalid; the message has the name of its variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(map(_describe, error.errors()))) from None


def _describe(mistake: ErrorDetails) -> str:
    message = f"DIGRESS_{str(mistake['loc'][0]).upper()}: {mistake['msg']}"
    # A URL may contain a password, and the others are secrets.
    return (
        message
        if mistake["loc"][0] in {"redis_url", "admin_key", "webhook_secret"}
        else f"{message}, not {mistake['input']!r}"
    )
