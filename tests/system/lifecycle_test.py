#!/usr/bin/python3
"""A node's beginning and end: addresses, names, signals, kill -9, and machines that refuse what it needs."""
import asyncio
import ctypes
import json
import os
import pathlib
import resource
import signal
import socket
import struct
import tempfile

import websockets

from support import raw
from support.native import Native
from support.node import Node, free_port, run_program, unique_name
from support.runner import case, equal, eventually, main, require, scaled, table


@case("a node without any configuration listens on loopback only")
async def _():
    async with Node() as node:
        text = pathlib.Path("/proc/net/tcp").read_text()
        listening = [line.split()[1] for line in text.splitlines()[1:] if line.split()[3] == "0A"]
        ours = [address for address in listening if int(address.split(":")[1], 16) == node.port]
        require(ours and all(address.startswith("0100007F") for address in ours), f"127.0.0.1 and nothing else; {ours}")


async def does_not_start(*flags, config="", variables=None):
    """Starts a node that must refuse to; (status, what it said)."""
    with tempfile.TemporaryDirectory() as directory:
        arguments = ["serve", *([] if "--name" in flags else ["--name", unique_name()]), *flags]
        if config:
            file = pathlib.Path(directory) / "ringcast.toml"
            file.write_text(config)
            arguments += ["--config", file]
        status, out, err = await run_program(*arguments, **(variables or {}))
        require(status in (1, 2), f"a status of failure or bad usage; got {status}: {out}{err}")
        return status, err


BAD = [
    # sentence, flags, config, variables, what it must say
    ("an unknown key", [], "[limits]\nconections = 5\n", {}, "ringcast.toml:2: limits.conections: unknown key"),
    ("a value out of range", [], "[limits]\nconnections = 0\n", {}, "ringcast.toml:2: limits.connections: 0 is out"),
    ("a duration without unit", [], 'limits.idle_time = "5"\n', {}, "ringcast.toml:1: limits.idle_time:"),
    ("broken TOML", [], "limits = [\n", {}, "ringcast.toml:"),
    ("a feature that is not there", [], "[shards]\nmin = 2\n", {}, "shards.min: not supported"),
    ("an address off loopback", ["--listen", "0.0.0.0:0"], "", {}, "--insecure"),
    ("an address that is none", ["--listen", "nowhere"], "", {}, "nowhere"),
    ("an unknown flag", ["--colour", "blue"], "", {}, "--colour"),
    ("a bad variable", [], "", {"RINGCAST_SHARDS_COUNT": "many"}, "RINGCAST_SHARDS_COUNT"),
    ("a variable that stands for no key", [], "", {"RINGCAST_SHARDS_CONT": "1"}, "RINGCAST_SHARDS_COUNT"),
    ("a name that is no file name", ["--name", "../up"], "", {}, "../up"),
    ("a configuration that does not exist", ["--config", "/nowhere/a.toml"], "", {}, "/nowhere/a.toml"),
]


async def is_refused(flags, config, variables, said):
    _, err = await does_not_start(*flags, config=config, variables=variables)
    require(said in err, f"it says {said!r}; it said {err!r}")

table("does not start with", BAD, is_refused)


@case("a port that another program listens on is an error that names the address")
async def _():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        _, err = await does_not_start("--listen", f"127.0.0.1:{port}")
        require(f"127.0.0.1:{port}" in err, f"the address is named; it said {err!r}")


@case("a port that another node listens on is an error, and the other node goes on")
async def _():
    async with Node(shards=2) as node, Native(node) as client:
        _, err = await does_not_start("--listen", f"127.0.0.1:{node.port}")
        require(str(node.port) in err, f"the port is named; it said {err!r}")
        require(await client.is_quiet(), "the first node answers")


@case("a second node of the same name does not start, and the first goes on")
async def _():
    async with Node() as node, Native(node) as client:
        status, out, err = await run_program("serve", "--name", node.name, "--listen", f"127.0.0.1:{free_port()}")
        equal(status, 1, f"the status; it said {out}{err}")
        require(node.name in err, f"the name is in what it says; it said {err!r}")
        require(node.segment().exists(), "the first one's segment is still there")
        require(await client.is_quiet(), "the first node answers")


@case("nodes of different names run side by side")
async def _():
    async with Node() as one, Node() as two, Native(one) as a, Native(two) as b:
        await a.subscribe("c")
        await b.publish("c", 1)
        require(await a.is_quiet(), "they know nothing of each other")


SIGNALS = [("SIGTERM", signal.SIGTERM), ("SIGINT", signal.SIGINT)]


async def ends_gracefully(with_signal):
    async with Node(shards=2) as node:
        readers = [Native(node) for _ in range(10)]
        for reader in readers:
            await reader.__aenter__()
            await reader.subscribe("c")
        async with Native(node) as writer:
            for i in range(500):
                await writer.send(type="publish", channel="c", data=i)
            require(await writer.is_quiet(), "all is published")
            stopping = asyncio.create_task(node.stop(with_signal))
            for reader in readers:
                count = 0
                try:
                    while True:
                        message = json.loads(await asyncio.wait_for(reader.socket.recv(), scaled(10)))
                        equal(message["data"], count, "the next message")
                        count += 1
                except websockets.ConnectionClosed as closed:
                    equal(closed.rcvd and closed.rcvd.code, 1001, "the close code")
                equal(count, 500, "messages that came before the end")
            equal(await writer.close_code(), 1001, "the publisher's close code")
            await stopping
        require(not node.segment().exists(), "the segment is removed")

table("every subscriber gets what was published, then 1001, on", SIGNALS, ends_gracefully, seconds=40)


@case("a client that never reads cannot keep a node from ending beyond its deadline")
async def _():
    async with Node("--shutdown-deadline", "500ms") as node:
        def stuck():
            client = raw.RawClient(node.port, receive_buffer=2048)
            client.send_text('{"type":"subscribe","id":1,"channels":["c"]}')
            while b'"subscribed"' not in client.receive()[1]:
                pass
            return client
        with await asyncio.to_thread(stuck):
            async with Native(node) as writer:
                for _ in range(1000):
                    await writer.send(type="publish", channel="c", data="x" * 2000)
                require(await writer.is_quiet(), "all is published")
            await node.stop(seconds=8)


@case("half-open connections do not keep a node from ending")
async def _():
    async with Node("--shutdown-deadline", "500ms") as node:
        with raw.connect(node.port) as silent, raw.connect(node.port) as half:
            half.sendall(b"GET /ws HTTP/1.1\r\n")
            await node.stop(seconds=8)
            equal(raw.read_to_end(silent), b"", "what a connection without a request was told")


@case("a node that was killed leaves a segment behind, and another of its name starts, with a new epoch")
async def _():
    async with Node() as node:
        async with Native(node) as client:
            first = (await client.subscribe("c"))["c"]["epoch"]
            await node.kill()
        require(node.segment().exists(), "the segment of a killed node stays readable")
        async with Node(name=node.name) as successor, Native(successor) as client:
            second = (await client.subscribe("c"))["c"]
            require(second["epoch"] != first, "another epoch")
            equal(second["seq"], 0, "the seq begins anew")


@case("a file that is no segment, under a node's name, does not confuse it")
async def _():
    for content in (b"", b"hello", os.urandom(100_000)):
        node = Node()
        node.segment().write_bytes(content)
        try:
            async with node:
                async with Native(node):
                    pass
        except AssertionError:
            # It may refuse what it did not make, with a sentence that names the file.
            require(str(node.segment()) in node.log() or node.name in node.log(), f"the file is named; {node.log()!r}")


def forbid_io_uring():
    """Makes io_uring_setup fail with EPERM in this process and its children, as a container's seccomp profile does."""
    libc = ctypes.CDLL(None, use_errno=True)
    nr_io_uring_setup, eperm = 425, 1
    load, jump_equal, ret = 0x20, 0x15, 0x06
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in [
        (load, 0, 0, 0),                                # the system call's number
        (jump_equal, 0, 1, nr_io_uring_setup),
        (ret, 0, 0, 0x00050000 | eperm),                # SECCOMP_RET_ERRNO
        (ret, 0, 0, 0x7FFF0000)])                       # SECCOMP_RET_ALLOW
    buffer = ctypes.create_string_buffer(program)
    filter_ = struct.pack("HxxxxxxP", 4, ctypes.addressof(buffer))
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, filter_, 0, 0) != 0:  # NO_NEW_PRIVS, SET_SECCOMP
        raise OSError(ctypes.get_errno(), "seccomp")


@case("a kernel that forbids io_uring is an error that says how to allow it")
async def _():
    node = Node(before_exec=forbid_io_uring)
    await node.launch()
    try:
        equal(await node.wait(), 1, f"the status; it said {node.log()}")
        require("io_uring" in node.log(), f"it says what is missing; it said {node.log()!r}")
    finally:
        node.kill_now()


@case("out of descriptors, a node serves those who are in, does not spin, and takes others in later", seconds=30)
async def _():
    def few_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    async with Node(before_exec=few_descriptors) as node, Native(node) as insider:
        # A guest comes and goes first: the sanitizer of undefined behaviour opens a pipe to look at an object whose
        # class it has not met at that place, and takes a pipe that it cannot open for a finding.
        async with Native(node) as guest:
            require(await guest.is_quiet(), "a guest is served")

        def knock():
            sockets = []
            for _ in range(150):
                sock = raw.connect(node.port)
                sock.sendall(raw.handshake_text())
                sockets.append(sock)
            return sockets
        outside = await asyncio.to_thread(knock)
        await eventually(lambda: node.threads_and_descriptors()[1] == 64, "all descriptors are taken")
        before = node.processor_seconds()
        for _ in range(10):
            require(await insider.is_quiet(), "who is in is served")
            await asyncio.sleep(0.1)
        share = (node.processor_seconds() - before) / 1.0
        require(share < 0.2, f"the node waits for descriptors without spinning; it used {share:.2f} of a core")
        for sock in outside:
            sock.close()

        async def gets_in():
            try:
                async with Native(node) as late:
                    return await late.is_quiet()
            except (OSError, websockets.WebSocketException, asyncio.TimeoutError):
                return False
        await eventually(gets_in, "there is room again", 10)


@case("malloc in the program is mimalloc's, and so is that of its libraries")
async def _():
    status, _, bindings = await run_program("--version", LD_DEBUG="bindings", MIMALLOC_SHOW_ERRORS="0")
    equal(status, 0, "the status")
    lines = [line for line in bindings.splitlines() if "symbol `malloc'" in line and " to " in line]
    require(lines, "the dynamic linker says where malloc comes from")
    if any("libasan" in line or "libtsan" in line for line in lines):
        return  # the sanitizers bring their own
    # The dynamic linker itself starts with libc's and goes over to the program's choice.
    foreign = [line for line in lines if "libmimalloc" not in line.split(" to ")[1] and "ld-linux" not in line]
    require(not foreign, f"every malloc is mimalloc's; {foreign}")


if __name__ == "__main__":
    main()
