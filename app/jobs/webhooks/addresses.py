"""Which address a webhook goes to: a public one, so that nobody reaches through this what only the service can reach.

Addresses have many spellings, and some IPv6 addresses hold an IPv4 one: mapped, translated (SIIT, NAT64), tunnelled (6to4,
Teredo). So names and numbers alike are resolved here, and an IPv6 address must lie where public ones are assigned, less the
tunnels. The caller connects to the address that was checked.
"""

import asyncio
import socket
from concurrent.futures import Executor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# Public IPv6 addresses (RFC 4291, section 2.4), which hold none of ::/96, ::ffff:0:0/96, ::ffff:0:0:0/96, 64:ff9b::/96.
_PUBLIC_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("192.0.0.0/24"),  # protocols
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv6Network("2001::/23"),  # protocols, Teredo among them
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("3fff::/20"),  # documentation
)


class PrivateAddress(ValueError):
    """An address that only this machine or its network can reach."""


async def resolve(host: str, port: int, *, allow_private: bool, threads: Executor | None = None) -> str:
    """An address of a host. A slow name server holds up one of `threads`.

    Raises:
        PrivateAddress: if any of its addresses is not public, unless that is allowed.
        OSError: if it has none.
    """
    found = await asyncio.get_running_loop().run_in_executor(
        threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not allow_private and not is_public(ip_address(address.partition("%")[0])):
            raise PrivateAddress(f"{host} is at {address}, which is not a public address")
    return addresses[0]


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to one machine of the internet."""
    if isinstance(address, IPv6Address) and address not in _PUBLIC_V6:
        return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _NOT_PUBLIC)
