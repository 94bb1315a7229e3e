#!/usr/bin/python3
"""`ringcast stat`: what is read from a live, an ended, a killed and an absent node (docs/protocol.md section 6)."""
import asyncio
import json

from support.native import Native
from support.node import Node, run_program, unique_name
from support.runner import case, equal, eventually, main, require

LEDGER = ("offered", "sent", "conflated", "dropped", "abandoned", "queued")


async def stat_json(node):
    status, out, err = await run_program("stat", "--name", node.name, "--once", "--json")
    equal(status, 0, f"the status; it said {err}")
    return json.loads(out)


@case("--health exits 0 for a live node and 3 for one that does not exist")
async def _():
    async with Node() as node:
        status, out, err = await run_program("stat", "--name", node.name, "--health")
        equal(status, 0, f"the status; it said {out}{err}")
    status, out, err = await run_program("stat", "--name", unique_name(), "--health")
    equal(status, 3, f"the status without a node; it said {out}{err}")


@case("--health exits 3 for a node that was killed, and its statistics stay readable")
async def _():
    async with Node() as node:
        async with Native(node) as client:
            await client.subscribe("c")
            await client.send(type="publish", channel="c", data=1)
            await client.expect(type="message")
            await asyncio.sleep(0.5)
            await node.kill()
        status, out, err = await run_program("stat", "--name", node.name, "--health")
        equal(status, 3, f"the status; it said {out}{err}")
        _, out, err = await run_program("stat", "--name", node.name, "--once")
        require(out, f"its numbers are printed; it said {err}")


@case("an absent node is an error with a sentence, in every form of output")
async def _():
    name = unique_name()
    for form in ([], ["--json"], ["--prometheus"], ["--shards"], ["--memory"], ["--events"]):
        status, out, err = await run_program("stat", "--name", name, "--once", *form)
        require(status in (1, 3), f"a status of failure with {form}; got {status}")
        equal(out, "", f"standard output with {form}")
        require(name in err, f"the name is in what it says; it said {err!r}")


@case("every form of output of a live node says something")
async def _():
    async with Node(shards=2) as node, Native(node) as client:
        await client.subscribe("c")
        for form in ([], ["--shards"], ["--memory"], ["--events"], ["--health"], ["--prometheus"], ["--json"]):
            status, out, err = await run_program("stat", "--name", node.name, "--once", *form)
            equal(status, 0, f"the status with {form}; it said {err}")
            require(out.strip(), f"something is printed with {form}")
            if form == ["--prometheus"]:
                for line in out.splitlines():
                    require(line.startswith("# ") or line.rsplit(" ", 1)[1].replace(".", "").replace("e", "").replace(
                        "+", "").replace("-", "").isdigit() or line.endswith(("NaN", "Inf")), f"a sample: {line!r}")
            if form == ["--json"]:
                json.loads(out)


@case("the ledger counts every message for every reader, and closes")
async def _():
    async with Node(shards=2) as node:
        readers = [Native(node) for _ in range(10)]
        for reader in readers:
            await reader.__aenter__()
            await reader.subscribe("c")
        async with Native(node) as writer:
            for i in range(200):
                await writer.send(type="publish", channel="c", data=i)
        for reader in readers:
            for i in range(200):
                equal((await reader.receive())["data"], i, "the next message")

        async def ledger_closed():
            ledger = (await stat_json(node))["ledger"]
            require(set(LEDGER) <= set(ledger), f"the ledger has its six numbers; got {ledger}")
            return ledger if ledger["sent"] == 2000 else None
        ledger = await eventually(ledger_closed, "the ledger shows 2000 messages sent", 10)
        equal({key: ledger[key] for key in LEDGER},
              {"offered": 2000, "sent": 2000, "conflated": 0, "dropped": 0, "abandoned": 0, "queued": 0}, "the ledger")
        for reader in readers:
            await reader.__aexit__()


@case("connections that were refused are in the statistics")
async def _():
    async with Node("--limits-connections", "1") as node, Native(node):
        from support import raw
        await asyncio.to_thread(raw.request, node.port, raw.handshake_text())
        text = json.dumps(await stat_json(node))
        require("refused" in text or "rejected" in text, f"some number speaks of refusals; got {text[:500]}")


if __name__ == "__main__":
    main()
