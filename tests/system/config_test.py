#!/usr/bin/python3
"""`ringcast config` from outside: statuses, what goes where, and what a real node makes of a printed configuration."""
import pathlib
import tempfile
import tomllib

from support.native import Native
from support.node import Node, run_program
from support.runner import case, equal, main, require


def written(text):
    file = tempfile.NamedTemporaryFile("w", suffix=".toml")
    file.write(text)
    file.flush()
    return file


@case("check is silent about a good file, and names what is wrong with a bad one")
async def _():
    with written("[limits]\nconnections = 5\n") as good, written("[limits]\nconections = 5\n") as bad:
        equal(await run_program("config", "check", good.name), (0, "", ""), "status, output and diagnostics")
        status, out, err = await run_program("config", "check", bad.name)
        equal((status, out), (1, ""), "status and output")
        require(f"{bad.name}:2: limits.conections: unknown key" in err, f"file, line and key; it said {err}")


@case("bad usage is status 2, help is status 0")
async def _():
    for arguments, wanted in [(["config"], 2), (["config", "check"], 2), (["config", "improve", "a"], 2),
                              (["config", "print", "--limits-connections", "0"], 2), (["config", "--help"], 0),
                              (["config", "check", "--help"], 0), (["--help"], 0), (["--version"], 0), ([], 2),
                              (["fly"], 2)]:
        status, out, err = await run_program(*arguments)
        equal(status, wanted, f"the status of ringcast {' '.join(arguments)}; it said {out}{err}")
        require((out if wanted == 0 else err).strip(), f"ringcast {' '.join(arguments)} says something")


@case("print is TOML with the origin of each value, and prints the same when it is read again")
async def _():
    with written('name = "a"\n[[namespace]]\nmatch = "x.*"\n') as file:
        status, out, err = await run_program("config", "print", file.name, "--echo", RINGCAST_SHARDS_COUNT="2")
        equal((status, err), (0, ""), "status and diagnostics")
        values = tomllib.loads(out)
        equal((values["name"], values["echo"], values["shards"]["count"]), ("a", True, 2), "the values")
        equal([rule["match"] for rule in values["namespace"]],
              ["x.*", "*@bookTicker", "*@trade", "*@aggTrade", "*@depth>", ">"], "the namespaces")
        for origin in (f"# {file.name}:1", "# flag --echo", "# environment RINGCAST_SHARDS_COUNT", "# default",
                       "# shipped"):
            require(origin in out, f"{origin} is an origin; got {out}")
        with written(out) as printed:
            _, again, _ = await run_program("config", "print", printed.name)
            equal(tomllib.loads(again), values, "what is printed from what was printed")


@case("every limit and its default is printed")
async def _():
    _, out, _ = await run_program("config", "print")
    limits = tomllib.loads(out)["limits"]
    equal({key: limits[key] for key in ("connections", "subscriptions", "channels", "message_bytes", "header_bytes",
                                        "header_fields", "handshake_time", "idle_time")},
          {"connections": 10000, "subscriptions": 1024, "channels": 100000, "message_bytes": "1MiB",
           "header_bytes": "16KiB", "header_fields": 100, "handshake_time": "5s", "idle_time": "30m"}, "the limits")


@case("a node runs with a configuration that was printed")
async def _():
    _, out, _ = await run_program("config", "print")
    kept = "\n".join(line for line in out.splitlines() if not line.startswith(("name =", "listen =")))
    async with Node(config=kept) as node, Native(node) as client:
        require(await client.is_quiet(), "it answers")


@case("RINGCAST_CONFIG names the configuration of serve")
async def _():
    with written("[limits]\nsubscriptions = 1\n") as file:
        async with Node(variables={"RINGCAST_CONFIG": file.name}) as node, Native(node) as client:
            await client.subscribe("a")
            answer = await client.request(type="subscribe", id=1, channels=["b"])
            equal(answer.get("code"), "too_many_subscriptions", "the limit of the file holds")
    require(not pathlib.Path(file.name).exists(), "the temporary file is gone")


if __name__ == "__main__":
    main()
