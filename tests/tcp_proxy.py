"""A TCP proxy in front of a port: `python tcp_proxy.py PORT TARGET [CERTIFICATE KEY]`.

Killing it cuts every connection through it. No new one can be made until another proxy listens there. With a certificate
it speaks TLS to its clients.
"""

import asyncio
import ssl
import sys
from contextlib import suppress


async def serve(port: int, target: int, context: ssl.SSLContext | None) -> None:
    """Forward everything to `target` on this machine and back, for ever."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while some := await reader.read(65_536):
                writer.write(some)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, there[1]), carry(there[0], writer))

    server = await asyncio.start_server(connect, "127.0.0.1", port, ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    _context = None
    if len(sys.argv) > 3:
        _context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _context.load_cert_chain(*sys.argv[3:])
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), _context))
