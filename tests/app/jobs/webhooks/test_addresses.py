"""No spelling of a private address passes, and the address that is checked is the one that is connected to."""

import asyncio
import socket
from typing import Any

import pytest

from app.jobs.webhooks.addresses import PrivateAddress, resolve

LITERALS = [
    *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
    *("198.18.0.1", "192.0.0.8", "192.0.2.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
    # As decimal, hexadecimal and octal numbers, and with parts left out.
    *("2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "017700000001", "127.1", "0", "10.1"),
    *(
        "::",
        "::1",
        "fd00::1",
        "fe80::1",
        "fe80::1%lo",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "3fff::1",
        "100::1",
        "5f00::1",
    ),
    # IPv4 in IPv6: compatible, mapped, translated (SIIT), NAT64, local NAT64, 6to4, Teredo.
    *("::7f00:1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:0:7f00:1", "::ffff:0:10.0.0.1"),
    *(
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:7f00:1::",
    ),
]


@pytest.mark.parametrize("host", [*LITERALS, "localhost"])
def test_no_spelling_of_a_private_address_passes(host: str) -> None:
    with pytest.raises((PrivateAddress, OSError)):
        asyncio.run(resolve(host, 80, allow_private=False))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::1"])
def test_a_public_address_passes(address: str) -> None:
    assert asyncio.run(resolve(address, 443, allow_private=False)) == address


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:0:7f00:1"], ["2606:4700::1", "::1"]]
)
def test_a_name_that_has_a_private_address_is_refused(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return [(0, socket.SOCK_STREAM, 0, "", (address, 80)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    with pytest.raises(PrivateAddress):
        asyncio.run(resolve("pretty.example", 80, allow_private=False))


def test_a_private_address_passes_where_it_is_allowed() -> None:
    assert asyncio.run(resolve("127.0.0.1", 80, allow_private=True)) == "127.0.0.1"
