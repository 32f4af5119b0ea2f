"""Which hosts this service answers for, and that a browser's request comes from its own page.

Without keys, whoever can send a request can do everything, and a web page can make its reader's browser send some:

- **DNS rebinding.** The page's own name is made to point at this machine. To the browser it is still the same site, so
  the page may read every answer. But the browser sends that name as `Host`.
- **Cross-site posts.** A page posts a form, or a body without a type, to an address of this machine. It cannot read the
  answer, but the request is done. The browser sends the page's address as `Origin`.

So the host must be one that is ours, and a request that changes something must come from the host that it goes to. With
keys, neither can do harm, since a page does not know the key; then hosts are checked if they are named in
`DIGRESS_ALLOWED_HOSTS`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.error_handlers import error_response
from app.http.errors import CrossSite, ServiceError, UnknownHost, shorten
from app.http.middleware import is_monitoring

# A host, and perhaps a port (RFC 9110, section 7.2). Browsers write IPv6 addresses in brackets.
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.%]+\]|[^\[\]:/?#@\s]+)(:(?P<port>[0-9]*))?")
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True)
class HostRule:
    """Which hosts are ours: `localhost`, loopback addresses, and those that are `allowed`: names, `*.example.org`, or `*`.

    On a network (`is_public`) a probe or a scrape may name any host, since it finds us by what it knows. And if none is
    `allowed`, any address is, since a page that is rebound has a name.
    """

    allowed: Sequence[str] = ()
    is_public: bool = False

    def check(self, scope: Scope) -> None:
        """Make sure that a request is for a host of ours, and if it changes something, not from the page of another.

        Raises:
            UnknownHost: if the host is not ours.
            CrossSite: if a page of another host sends it.
        """
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not (self.is_public and is_monitoring(scope)) and not self.accepts(host):
            raise UnknownHost(
                f"this service does not answer for the host {shorten(host)!r}; whoever runs it names its hosts in DIGRESS_ALLOWED_HOSTS"
            )
        if scope["method"] not in _SAFE_METHODS:
            self._check_origin(headers.get("origin"), headers.get("sec-fetch-site"), host)

    def accepts(self, host: str) -> bool:
        """Whether a host, perhaps with a port, is ours."""
        name = host_name(host)
        if name is None:
            return False
        address = _address(name)
        if name == "localhost" or (address and _is_loopback(address)):
            return True
        if address and self.is_public and not self.allowed:
            return True
        return any(_matches(name, pattern) for pattern in self.allowed)

    def _check_origin(self, origin: str | None, site: str | None, host: str) -> None:
        if origin is None:
            if site in {"cross-site", "same-site"}:
                raise CrossSite(
                    "a page of another host cannot ask for this; send the request from a page of this service"
                )
            return
        source = urlsplit(origin)
        is_own = _authority(source.netloc, source.scheme) == _authority(host, source.scheme)
        is_allowed = any(_matches(host_name(source.netloc) or "", pattern) for pattern in self.allowed)
        if not is_own and not is_allowed:
            raise CrossSite(
                f"a page of {shorten(origin)!r} cannot ask for this; if it is this service's own page behind a proxy, "
                "whoever runs it names its host in DIGRESS_ALLOWED_HOSTS"
            )


class HostCheckMiddleware:
    """Refuses what `HostRule` refuses, before the application sees it."""

    def __init__(self, app: ASGIApp, rule: HostRule) -> None:
        self.app, self.rule = app, rule

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self.rule.check(scope)
            except ServiceError as error:
                await error_response(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def host_name(host: str) -> str | None:
    """The name or address in a header `Host`, in one spelling: small letters, no brackets, no final dot; None if it is none."""
    found = _HOST.fullmatch(host)
    return found["name"].strip("[]").removesuffix(".").lower() or None if found else None


def _authority(host: str, scheme: str) -> tuple[str | None, str]:
    found = _HOST.fullmatch(host)
    port = (found and found["port"]) or _DEFAULT_PORTS.get(scheme, "")
    return host_name(host), port


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _is_loopback(address: IPv4Address | IPv6Address) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _matches(name: str, pattern: str) -> bool:
    if pattern == "*":
        return True
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern
