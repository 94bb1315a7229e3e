#!/usr/bin/python3
"""node's `ws` package as a client: tests/system/node/ws.mjs, case by case."""
import asyncio
import pathlib
import shutil

from support.node import Node
from support.runner import Skip, equal, main, scaled, table

SCRIPT = pathlib.Path(__file__).parent / "node" / "ws.mjs"
CASES = [
    ("speaks the native dialect", "native"),
    ("offers compression and gets it", "compression"),
    ("offers compression within a small window", "compression_with_a_small_window"),
    ("sends a bomb and is closed with 1009", "a_bomb"),
    ("chooses ringcast.v1.json", "subprotocol"),
    ("speaks the exchange dialect, raw and combined", "exchange"),
    ("pings and is pinged", "ping_and_pong"),
    ("sends a message in as many fragments as it has bytes", "fragments"),
    ("closes, and is closed, with the codes of the standard", "close_codes"),
    ("comes from a foreign Origin and is refused", "foreign_origin"),
    ("comes a hundredfold and misses nothing", "a_hundred_clients"),
    ("sends and receives a megabyte", "a_megabyte"),
]


async def holds(name):
    program = shutil.which("node")
    if program is None or not (SCRIPT.parent / "node_modules" / "ws").is_dir():
        raise Skip("scripts/install-deps installs node and its ws package")
    async with Node("--heartbeat-interval", "200ms", "--heartbeat-interval-exchange", "200ms", shards=2) as node:
        process = await asyncio.create_subprocess_exec(program, SCRIPT, name, str(node.port),
                                                       stderr=asyncio.subprocess.PIPE)
        try:
            _, said = await asyncio.wait_for(process.communicate(), scaled(20))
        except BaseException:
            process.kill()
            await process.wait()
            raise
        equal(process.returncode, 0, f"the status of node ws.mjs {name}; it said {said.decode()}")

table("the ws package", CASES, holds, seconds=30)

if __name__ == "__main__":
    main()
