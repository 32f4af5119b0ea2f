"""`digress keys`: make, list and revoke API keys."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.commands.help import add_command

if TYPE_CHECKING:
    from app.access.api_keys import ApiKeyStore

app = typer.Typer(no_args_is_help=True, help="API keys: make, list and revoke them; needs DIGRESS_REDIS_URL.")
NameArgument = Annotated[str, typer.Argument(help="What the key is called, like the team that has it.")]


def create(
    name: NameArgument,
    admin: Annotated[bool, typer.Option("--admin", help="See all jobs; load and unload models.")] = False,
    rate: Annotated[int | None, typer.Option(help="Submissions in a minute at the most.", min=1)] = None,
    quota: Annotated[int | None, typer.Option(help="Graphs in a day (UTC) at the most.", min=1)] = None,
) -> None:
    """Make a key and print it; it is not stored, and cannot be printed again.

    Examples:
        digress keys create chemistry --rate 60 --quota 100000
        digress keys create operators --admin
    """
    from app.access.api_keys import Role

    _, token = _book().create(name, role=Role.ADMIN if admin else Role.USER, rate=rate, quota=quota)
    print(token)


def list_keys() -> None:
    """Show the keys that are valid, without what is secret of them.

    Examples:
        digress keys list
    """
    table = Table("name", "role", "submissions a minute", "graphs a day", "made")
    for key in _book().all():
        limits = ("any" if limit is None else f"{limit:,}" for limit in (key.rate, key.quota))
        table.add_row(key.name, key.role, *limits, f"{key.created_at:%Y-%m-%d %H:%M} UTC")
    Console().print(table)


def revoke(name: NameArgument) -> None:
    """Make a key void, from the next request on.

    Examples:
        digress keys revoke chemistry
    """
    _book().revoke(name)
    print(f"{name} is revoked")


def _book() -> "ApiKeyStore":
    from redis import Redis

    from app.access.api_keys import ApiKeyStore
    from app.settings import read_settings

    return ApiKeyStore(Redis.from_url(read_settings().require_redis_url(), socket_timeout=5))


add_command(app, create)
add_command(app, list_keys, "list")
add_command(app, revoke)
