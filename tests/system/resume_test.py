#!/usr/bin/python3
"""Subscribers that lose their connections and resume (docs/nothing-missed.md): nothing is missing, nothing comes twice.

PROOF_SECONDS makes the long case longer.
"""
import json
import os
import pathlib
import re
import tempfile

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
    chunks = sum(int(n) for n in re.findall(r"^ringcast_catch_up_chunks_total{.*} (\d+)", counters, re.M))
    require(chunks > 5 * SECONDS, f"many were caught up from history; the node gave out {chunks} chunks of it")
    require(result["caught_up"] > 10 * result["resumed"], f"there was much to catch up: {result['caught_up']}")


if __name__ == "__main__":
    main()
