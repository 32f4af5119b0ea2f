"""`digress keys`: make, list and revoke API keys."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.commands.help import add_command

if TYPE_CHECKING:
    from app.access.api_keys import ApiKeyStore

app = typer.Typer(no_args_is_help=True, help="API keys: make, list and revoke them; needs DIGRESS_REDIS_URL.")
NameArgument = Annotated[str, typer.Argument(help="Name of the key, like the team that uses it.")]


def create(
    name: NameArgument,
    admin: Annotated[bool, typer.Option("--admin", help="See all jobs; load and unload models.")] = False,
    rate: Annotated[int | None, typer.Option(help="Submissions per minute, at most.", min=1)] = None,
    quota: Annotated[int | None, typer.Option(help="Graphs per day (UTC), at most.", min=1)] = None,
) -> None:
    """Make a key and print it. It is not stored, so it cannot be printed again.

    Examples:
        digress keys create chemistry --rate 60 --quota 100000
        digress keys create operators --admin
    """
    from app.access.api_keys import Role

    _, token = _key_store().create(name, role=Role.ADMIN if admin else Role.USER, rate=rate, quota=quota)
    print(token)


def list_keys() -> None:
    """List the valid keys, without their secrets.

    Examples:
        digress keys list
    """
    table = Table("name", "role", "submissions a minute", "graphs a day", "made")
    for key in _key_store().all():
        limits = ("any" if limit is None else f"{limit:,}" for limit in (key.rate, key.quota))
        table.add_row(key.name, key.role, *limits, f"{key.created_at:%Y-%m-%d %H:%M} UTC")
    Console().print(table)


def revoke(name: NameArgument) -> None:
    """Revoke a key; it stops working with the next request.

    Examples:
        digress keys revoke chemistry
    """
    _key_store().revoke(name)
    print(f"{name} is revoked")


def _key_store() -> "ApiKeyStore":
    from redis import Redis

    from app.access.api_keys import ApiKeyStore
    from app.settings import read_settings

    return ApiKeyStore(Redis.from_url(read_settings().require_redis_url(), socket_timeout=5))


add_command(app, create)
add_command(app, list_keys, "list")
add_command(app, revoke)
