"""Many channels: what they cost, and that they go away again. docs/memory.md states the bound that is checked here.

Memory is deterministic enough to assert: the figures are the node's own account and its resident set, not times.
"""
import json

from support.native import Native
from support.node import Node, run_program
from support.runner import TIME_FACTOR, Skip, case, equal, eventually, main, require

CHANNELS = 100_000
CHANNELS_A_CONNECTION = 1_000
# docs/memory.md, "Many channels": bytes of accounted memory for a channel with one message of 250 bytes in its history
# and one subscriber. Resident memory adds what the allocator cannot give back.
ACCOUNTED_BYTES_A_CHANNEL = 4_000
RESIDENT_BYTES_A_CHANNEL = 5_000

CONFIG = """
[limits]
channels = 100000
channel_idle_time = "1s"
[rate]
errors_max = 0
[[namespace]]
match = ">"
history = { messages = 1000, bytes = "1MiB", age = "20s" }
lag = { messages = 4096, bytes = "4MiB", time = "10s" }
"""


async def statistics(node):
    status, out, err = await run_program("stat", "--name", node.name, "--once", "--json")
    equal(status, 0, f"ringcast stat --once --json; it said {err}")
    return json.loads(out)


async def fill(client, first, count, payload):
    """Subscribes to `count` channels and publishes one message to each; every one must come back."""
    names = [f"symbol:{number}" for number in range(first, first + count)]
    await client.subscribe(*names)
    for name in names:
        await client.send(type="publish", channel=name, data=payload)
    missing = set(names)
    while missing:
        message = await client.receive()
        equal(message["type"], "message", f"what arrives is a message; got {client.text[:200]}")
        equal(message["seq"], 1, "the first message of a channel")
        missing.remove(message["channel"])


@case(f"{CHANNELS} channels with one message each and one subscriber fit, and expire when idle", seconds=240)
async def _():
    if TIME_FACTOR > 1:
        raise Skip("a sanitizer's memory is not ours")
    async with Node(shards=2, config=CONFIG) as node:
        before = node.resident_bytes()
        clients = []
        payload = "x" * 250
        for first in range(0, CHANNELS, CHANNELS_A_CONNECTION):
            client = Native(node)
            await client.__aenter__()
            clients.append(client)
            await fill(client, first, CHANNELS_A_CONNECTION, payload)
        after = node.resident_bytes()
        document = await statistics(node)
        accounted = document["memory"]["accounted"]
        by_purpose = {name: purpose["bytes"] for name, purpose in document["memory"]["purposes"].items()
                      if purpose["bytes"]}
        print(f"accounted by purpose: {by_purpose}")
        print(f"{CHANNELS} channels: resident {after / 1e6:.0f} MB ({(after - before) / CHANNELS:.0f} bytes a "
              f"channel), accounted {accounted / 1e6:.0f} MB")
        require(accounted / CHANNELS < ACCOUNTED_BYTES_A_CHANNEL, "accounted memory a channel is within its bound")
        require((after - before) / CHANNELS < RESIDENT_BYTES_A_CHANNEL, "resident memory a channel is within its bound")

        for client in clients:
            await client.__aexit__()

        async def expired():
            return (await statistics(node))["counters"]["channels_home"] == 0
        await eventually(expired, "every channel has expired", 120)
        left = (await statistics(node))["memory"]["accounted"]
        require(left < accounted / 4, f"what channels held has been given back: {left} of {accounted} bytes are left")

if __name__ == "__main__":
    main()
