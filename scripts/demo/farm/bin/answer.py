#!/usr/bin/env python3
"""An application for farms: says who answers.

    answer.py PORT[,PORT...] [ADDRESS...]

TCP: each line is answered with the name of this server. Told to end (SIGTERM) it is polite: the next answer
of each connection begins with "close", then the connection is closed; it ends with the last one, or at once
when it is told again. UDP: each datagram that comes to one of the addresses is answered in the same way.
"""

import asyncio
import signal
import socket
import sys

NAME = socket.gethostname()
# Connections that were accepted by the kernel before nobody sent new ones.
LATE = 0.2


class Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, client):
        self.transport.sendto(f"{NAME}\n".encode(), client)


class Application:
    def __init__(self):
        self.open = 0
        self.ending = False
        self.told_again = asyncio.Event()

    async def connection(self, reader, writer):
        self.open += 1
        try:
            while await reader.readline():
                word = "close " if self.ending else ""
                writer.write(f"{word}{NAME}\n".encode())
                await writer.drain()
                if word:
                    break
        except OSError:
            pass
        finally:
            self.open -= 1
            writer.close()

    def end(self):
        if self.ending:
            self.told_again.set()
        self.ending = True

    async def run(self, ports, addresses):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.end)
        for port in ports:
            for address in addresses:
                await loop.create_datagram_endpoint(Datagrams, local_addr=(address, port))
            listener = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
            await asyncio.start_server(self.connection, sock=listener)
        print("ready", flush=True)
        quiet = 0
        while quiet < LATE and not self.told_again.is_set():
            await asyncio.sleep(0.02)
            quiet = quiet + 0.02 if self.ending and not self.open else 0


asyncio.run(Application().run([int(port) for port in sys.argv[1].split(",")], sys.argv[2:]))
