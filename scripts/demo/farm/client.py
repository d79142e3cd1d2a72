"""A client of the farm demo: holds connections that last and opens new ones, and says what it sees.

    client.py ADDRESS PORT LASTING

One line an answer: "<kind> <server>" with kind lasting or new, or "<kind> ! <what went wrong>".
"""

import asyncio
import socket
import sys

PACE = 0.05
PATIENCE = 10


def say(*words):
    print(*words, flush=True)


async def connect(address, port):
    reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), PATIENCE)
    # A sleeping peer must not be mistaken for a slow one.
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return reader, writer


async def ask(reader, writer):
    writer.write(b"who\n")
    line = await asyncio.wait_for(reader.readline(), PATIENCE)
    if not line:
        raise ConnectionResetError("closed")
    return line.decode().split()


async def lasting(address, port):
    while True:
        try:
            reader, writer = await connect(address, port)
            while True:
                *leave, name = await ask(reader, writer)
                say("lasting", name)
                if leave:
                    break
                await asyncio.sleep(PACE)
        except (OSError, asyncio.TimeoutError) as error:
            say("lasting", "!", type(error).__name__)
            await asyncio.sleep(PACE)
            continue
        writer.close()


async def one(address, port):
    try:
        reader, writer = await connect(address, port)
        say("new", (await ask(reader, writer))[-1])
        writer.close()
    except (OSError, asyncio.TimeoutError) as error:
        say("new", "!", type(error).__name__)


async def main(address, port, number):
    running = {asyncio.create_task(lasting(address, port)) for _ in range(number)}
    while True:
        running.add(asyncio.create_task(one(address, port)))
        running = {task for task in running if not task.done()}
        await asyncio.sleep(PACE)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
