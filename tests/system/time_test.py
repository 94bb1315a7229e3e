#!/usr/bin/python3
"""What happens when nothing happens: heartbeats, idle connections, and peers that stop half-way."""
import asyncio
import random
import resource
import socket
import struct
import time

from support import raw
from support.native import Native
from support.node import Node
from support.runner import Skip, case, equal, eventually, main, require, scaled

FAST_HEARTBEAT = ("--heartbeat-interval", "150ms", "--heartbeat-interval-exchange", "150ms")


@case("a client that answers no ping is closed with 4009, one that answers stays")
async def _():
    async with Node(*FAST_HEARTBEAT) as node, Native(node) as good:  # websockets answers pings by itself
        def silent():
            with raw.RawClient(node.port) as client:
                pings = 0
                while True:
                    received = client.receive()
                    require(received is not None, "a close frame comes before the end")
                    pings += received[0] == raw.PING
                    if received[0] == raw.CLOSE:
                        return pings, struct.unpack("!H", received[1][:2])[0]
        pings, code = await asyncio.to_thread(silent)
        equal((pings, code), (2, 4009), "unanswered pings and the close code")
        require(await good.is_quiet(), "the other is still there")


@case("any pong, and any message, is a sign of life")
async def _():
    async with Node(*FAST_HEARTBEAT) as node:
        def lively():
            with raw.RawClient(node.port) as client:
                end = time.monotonic() + scaled(1.2)  # eight heartbeats
                while time.monotonic() < end:
                    received = client.receive()
                    require(received is not None and received[0] != raw.CLOSE, f"the connection stays; got {received}")
                    if received[0] == raw.PING:
                        client.send(raw.frame(raw.PONG, received[1]))
        await asyncio.to_thread(lively)


@case("without heartbeats a connection that says nothing is closed after the idle time, one that speaks is not")
async def _():
    flags = ("--heartbeat-interval", "0s", "--heartbeat-interval-exchange", "0s", "--limits-idle-time",
             f"{scaled(600):.0f}ms")
    async with Node(*flags) as node, Native(node) as talker:
        async def talk():
            for _ in range(12):
                require(await talker.is_quiet(), "who speaks stays")
                await asyncio.sleep(scaled(0.15))

        def silent():
            with raw.RawClient(node.port) as client:
                client.receive()  # welcome
                return client.receive()  # fails by its time limit unless the node ends the connection
        _, last = await asyncio.gather(talk(), asyncio.to_thread(silent))
        require(last is None or last[0] == raw.CLOSE, f"the connection is closed; got {last}")


@case("five thousand half-open handshakes harm nobody and go away by themselves", seconds=60)
async def _():
    count = 5000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + 200:
        raise Skip(f"this process may have {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
    async with Node("--limits-handshake-time", "3s", shards=2) as node:
        _, descriptors_before = node.threads_and_descriptors()

        def open_half():
            sockets = []
            for i in range(count):
                sock = socket.create_connection(("127.0.0.1", node.port), timeout=scaled(5))
                sock.sendall(b"GET /ws HTTP/1.1\r\nHost: localhost\r\n"[:i % 36])
                sockets.append(sock)
            return sockets
        half = await asyncio.to_thread(open_half)
        async with Native(node) as client, Native(node) as writer:
            await client.subscribe("c")
            await writer.publish("c", 1)
            await client.expect(type="message", seq=1)

        def all_ended():
            for sock in half:
                sock.settimeout(scaled(10))
                raw.read_to_end(sock)
                sock.close()
        await asyncio.to_thread(all_ended)
        await eventually(lambda: node.threads_and_descriptors()[1] <= descriptors_before + 2,
                         "the node has closed its side of all of them", 10)


@case("connecting and leaving two thousand times in every way leaves nothing behind", seconds=60)
async def _():
    async with Node(shards=2) as node, Native(node) as keeper:
        await keeper.subscribe("churn")
        _, descriptors_before = node.threads_and_descriptors()
        ways = list(range(100)) * 20
        random.Random(1).shuffle(ways)

        def come_and_go(way):
            sock = raw.connect(node.port)
            if way % 5 == 0:  # leave before the handshake
                sock.close()
                return
            sock.sendall(raw.handshake_text())
            if way % 5 == 1:  # leave without reading its answer, by a reset
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
                return
            raw.read_head(sock)
            sock.sendall(raw.frame(raw.TEXT, '{"type":"subscribe","channels":["churn"]}'))
            if way % 5 == 2:  # reset in the middle of a frame
                whole = raw.frame(raw.TEXT, '{"type":"publish","channel":"churn","data":1}')
                sock.sendall(whole[:1 + way * len(whole) // 101])
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif way % 5 == 3:  # end one's own side only, then read to the end
                sock.shutdown(socket.SHUT_WR)
                raw.read_to_end(sock)
            else:  # as the standard says
                sock.sendall(raw.frame(raw.CLOSE, b"\x03\xe8"))
                raw.read_to_end(sock)
            sock.close()

        async def worker(ways):
            for way in ways:
                await asyncio.to_thread(come_and_go, way)
        await asyncio.gather(*(worker(ways[i::8]) for i in range(8)))
        async with Native(node) as writer:
            await writer.publish("churn", "last")
        while (await keeper.receive())["data"] != "last":
            pass
        await eventually(lambda: node.threads_and_descriptors()[1] <= descriptors_before + 2,
                         "every descriptor of a client that left is closed", 10)


@case("a client that ends its side without a close frame is let go, and its neighbours notice nothing")
async def _():
    async with Node() as node, Native(node) as neighbour:
        await neighbour.subscribe("c")

        def leave():
            with raw.RawClient(node.port) as client:
                client.send_text('{"type":"subscribe","channels":["c"]}')
                client.sock.shutdown(socket.SHUT_WR)
                return raw.read_to_end(client.sock)
        await asyncio.to_thread(leave)
        async with Native(node) as writer:
            await writer.publish("c", 1)
        await neighbour.expect(type="message", seq=1)


@case("an idle node sleeps: it uses next to no processor time", seconds=15)
async def _():
    async with Node(shards=2) as node, Native(node) as client:
        await client.subscribe("c")

        await asyncio.sleep(0.5)
        before = node.processor_seconds()
        await asyncio.sleep(3)
        share = (node.processor_seconds() - before) / 3
        require(share < 0.1, f"less than a tenth of a core; it was {share:.2f}")


if __name__ == "__main__":
    main()
