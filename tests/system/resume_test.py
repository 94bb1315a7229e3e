#!/usr/bin/python3
"""Subscribers that lose their connections and resume (docs/nothing-missed.md): nothing is missing, nothing comes twice.

PROOF_SECONDS makes the long case longer.
"""
import json
import os
import pathlib
import re
import tempfile

from support.native import Native
from support.node import Node, run_program
from support.runner import case, equal, main, require

SECONDS = int(os.environ.get("PROOF_SECONDS", "60"))
# Each channel gets 200 messages a second. A shard's log keeps half a second of them, so that who was away for longer is
# caught up from history; history keeps far more than anybody is away, also on a machine that others use too. Who falls
# behind by more than the log holds is closed, and resumes as well.
CONFIG = """
[[namespace]]
match = ">"
slow = "disconnect"
lag = { messages = 100, bytes = "1MiB", time = "1m" }
history = { messages = 20000, bytes = "4MiB", age = "10m" }
"""


@case(f"200 subscribers that drop and resume for {SECONDS} s under 20,000 messages/s miss nothing, get nothing twice",
      seconds=SECONDS + 90)
async def _():
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "result.json"
        async with Node(shards=2, config=CONFIG) as node:
            status, out, err = await run_program(
                "load", "--url", f"ws://127.0.0.1:{node.port}", "--connections", 200, "--channels", 100,
                "--publishers", 4, "--rate", 20_000, "--duration", SECONDS - 1, "--warmup", 1, "--churn", 100,
                "--resume", "--away", 1.5, "--drain", 30, "--ledger", node.name, "--json", file, seconds=SECONDS + 80)
            _, counters, _ = await run_program("stat", "--name", node.name, "--once", "--prometheus")
        print(out)
        equal(status, 0, f"the status of load; it said {out}{err}")
        result = json.loads(file.read_text())
    expected = 20_000 * SECONDS * 2  # each channel has two subscribers
    equal((result["expected"], result["delivered"]), (expected, expected), "messages due and received")
    for fault in ("lost", "duplicated", "reordered", "altered", "gap_messages", "unrecovered"):
        equal(result[fault], 0, f"messages or resumes {fault}")
    # Of 100 a second some find the subscriber away already.
    require(result["resumed"] > 20 * SECONDS and result["drops"] > 8 * SECONDS,
            f"they came and went: {result['resumed']} resumed, {result['drops']} dropped")
    from_history = sum(int(n) for n in re.findall(r"^ringcast_catch_ups\w*_total{.*} (\d+)", counters, re.M))
    require(from_history > 5 * SECONDS, f"many were caught up from history; the node counts {from_history}")
    require(result["caught_up"] > 10 * result["resumed"], f"there was much to catch up: {result['caught_up']}")


async def publish_all(writer, channel, numbers):
    """Publishes and waits for the last answer; the epoch."""
    for i in numbers:
        await writer.send(type="publish", id=i, channel=channel, data=[i, "x" * 100])
    while (answer := await writer.receive())["id"] != numbers[-1]:
        pass
    return answer["epoch"]


@case("who resumes from beyond the lag bound is caught up, wherever it connects, and not closed as slow", seconds=60)
async def _():
    async with Node(shards=2, config=CONFIG) as node, Native(node) as writer:
        for channel in ("a", "b", "c", "d", "e", "f"):  # some have their home on either shard
            epoch = await publish_all(writer, channel, range(1, 401))
            # Readers on both shards, so that there are logs to resume from; these may be closed, they do not read.
            keepers = [Native(node) for _ in range(4)]
            for keeper in keepers:
                await keeper.__aenter__()
                await keeper.subscribe(channel)
            await publish_all(writer, channel, range(401, 801))
            for back in (790, 700, 300, 150, 20, 1):
                async with Native(node) as reader:
                    await reader.send(type="subscribe", id=1, channels=[channel],
                                      resume={channel: {"epoch": epoch, "seq": 800 - back}})
                    joined = await reader.expect(type="subscribed")
                    equal(joined["channels"][0]["recovered"], True, f"{back} messages are recovered")
                    for seq in range(801 - back, 801):
                        await reader.expect(type="message", seq=seq)
            for keeper in keepers:
                keeper.socket.transport.abort()


if __name__ == "__main__":
    main()
