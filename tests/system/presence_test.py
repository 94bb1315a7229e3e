"""Users over the shards of a real node: personal channels, presence, and channels that fall silent."""
import asyncio
import json
import random

from support.native import Native
from support.node import Node, run_program
from support.runner import case, equal, eventually, main, require, scaled

CONNECTIONS = 1_000  # of one user
CONFIG = """
[rate]
errors_max = 0
[[namespace]]
match = "room>"
presence = true
presence_grace = "300ms"
[[namespace]]
match = "feed>"
stale_after = "400ms"
"""


class User(Native):
    """A connection of a user; what comes unasked is sorted: messages, notices."""

    def __init__(self, node, user):
        super().__init__(node, "/ws/connect" + (f"?user={user}" if user else ""))
        self.user = user

    async def __aenter__(self):
        await super().__aenter__()
        if self.user:
            joined = await self.expect(type="subscribed")
            equal(joined["channels"][0]["channel"], f"user:{self.user}", "the personal channel is joined")
            require("id" not in joined, "nobody asked for it")
        return self


async def statistics(node):
    status, out, err = await run_program("stat", "--name", node.name, "--once", "--json")
    equal(status, 0, f"ringcast stat --once --json; it said {err}")
    return json.loads(out)


async def in_crowds(items, act, size=50):
    """Does it for all, some at a time."""
    results = []
    for first in range(0, len(items), size):
        results += await asyncio.gather(*(act(item) for item in items[first:first + size]))
    return results


@case(f"{CONNECTIONS} connections of one user get a message to it each, once, and are one user", seconds=120)
async def _():
    async with Node(shards=2, config=CONFIG) as node:
        connections = await in_crowds([User(node, "alice") for _ in range(CONNECTIONS)], lambda one: one.__aenter__())
        async with User(node, "bob") as bob:
            for number in range(3):
                await bob.publish("user:alice", number)

            async def reads(one):
                got = [await one.expect(type="message", channel="user:alice", seq=n + 1, data=n) for n in range(3)]
                return len(got)
            equal(sum(await in_crowds(connections, reads)), 3 * CONNECTIONS, "messages that arrived")
            for one in connections[::50]:
                require(await one.is_quiet(), "and none twice")

            answer = await bob.request(type="presence", id=1, user="alice")
            equal(answer["connections"], CONNECTIONS, "connections of the user")
            equal(answer["channels"], ["user:alice"], "what they read")
            answer = await bob.request(type="presence", id=2, user="*")
            equal((answer["count"], answer["users"]), (2, ["alice", "bob"]), "users of the node")
            equal((await statistics(node))["uniqueUsers"], 2, "uniqueUsers")

            room = {"type": "subscribe", "channels": ["room.1"]}
            await bob.request(**room)
            await bob.expect(type="user_joined", user="bob")
            await in_crowds(connections, lambda one: one.send(**room))
            await bob.expect(type="user_joined", user="alice")
            await in_crowds(connections, lambda one: one.socket.close())
            await bob.expect(type="user_left", channel="room.1", user="alice")
            require(await bob.is_quiet(), "one join and one leave for them all")
            equal((await bob.request(type="presence", id=3, channel="room.1"))["users"], ["bob"], "who is left")


@case("after users came and went on two shards, lists and notices are exact", seconds=120)
async def _():
    chance = random.Random(11)
    rooms = ["room.1", "room.2", "room.3"]
    users = [f"u{number}" for number in range(12)]
    async with Node(shards=2, config=CONFIG) as node:
        watchers = [Native(node) for _ in range(6)]
        believed = {}
        seen = {}
        reading = []

        async def watch(watcher):
            try:
                while True:
                    message = json.loads(await watcher.socket.recv())
                    if message["type"] in ("user_joined", "user_left"):
                        room, user = message["channel"], message["user"]
                        joined = message["type"] == "user_joined"
                        require(believed[watcher].get((room, user), False) != joined, f"{message} twice")
                        believed[watcher][room, user] = joined
                    elif message["type"] == "presence":
                        seen[watcher][message["channel"]] = message
            except asyncio.CancelledError:
                pass

        for watcher in watchers:
            await watcher.__aenter__()
            believed[watcher], seen[watcher] = {}, {}
            await watcher.subscribe(*rooms)
            reading.append(asyncio.create_task(watch(watcher)))

        present = {}  # connection: its rooms

        async def come():
            one = User(node, chance.choice(users))
            await one.__aenter__()
            present[one] = set()
        for step in range(400):
            if len(present) < 8 or (len(present) < 40 and chance.random() < 0.4):
                await come()
                continue
            one = chance.choice(list(present))
            room = chance.choice(rooms)
            what = chance.random()
            if what < 0.25:
                del present[one]
                if chance.random() < 0.5:
                    await one.socket.close()
                else:
                    one.socket.transport.abort()
            elif room in present[one]:
                present[one].discard(room)
                await one.send(type="unsubscribe", channels=[room])
            else:
                present[one].add(room)
                await one.send(type="subscribe", channels=[room])
        await asyncio.sleep(scaled(1.0))  # grace times pass
        for room in rooms:
            truth = sorted({one.user for one, its in present.items() if room in its})

            def all_agree(room=room, truth=truth):
                return all(sorted(user for (where, user), here in believed[watcher].items() if here and where == room)
                           == truth for watcher in watchers)
            await eventually(all_agree, f"every watcher of {room} believes in {truth}", 10)
            for watcher in watchers:
                await watcher.send(type="presence", id=room, channel=room)

            def all_listed(room=room, truth=truth):
                lists = [seen[watcher].get(room) for watcher in watchers]
                return all(lists) and all(one["users"] == truth and one["count"] == len(truth) and
                                          one["anonymous"] == len(watchers) for one in lists)
            await eventually(all_listed, f"every list of {room} is {truth}", 10)
        equal((await statistics(node))["uniqueUsers"], len({one.user for one in present}), "uniqueUsers")
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading)
        for one in [*watchers, *present]:
            await one.socket.close()


@case("a user in a list many pages long is found on exactly one of them", seconds=60)
async def _():
    async with Node(shards=2, config=CONFIG) as node:
        users = [User(node, f"user-{number:03}") for number in range(150)]
        await in_crowds(users, lambda one: one.__aenter__())
        await in_crowds(users, lambda one: one.send(type="subscribe", channels=["room.x"]))
        async with Native(node) as asker:
            found, after = [], None
            for _ in range(20):
                await asyncio.sleep(0)
                page = await asker.request(type="presence", id=1, channel="room.x", limit=40,
                                           **({"after": after} if after else {}))
                found += page["users"]
                after = page.get("next")
                if after is None:
                    break
            equal(found, [one.user for one in users], "the pages together")
        await in_crowds(users, lambda one: one.socket.close())


@case("subscribers on both shards hear that a channel is silent, and that it speaks again, before its message")
async def _():
    async with Node(shards=2, config=CONFIG) as node:
        readers = [Native(node) for _ in range(6)]
        async with Native(node) as writer:
            for reader in readers:
                await reader.__aenter__()
                await reader.subscribe("feed.1")
            await writer.publish("feed.1", 1)
            for reader in readers:
                await reader.expect(type="message", seq=1)
                await reader.expect(type="channel_state", channel="feed.1", state="stale")
            async with Native(node) as late:
                joined = await late.subscribe("feed.1")
                equal(joined["feed.1"].get("liveness"), "stale", "a joiner learns it from the answer")
                await writer.publish("feed.1", 2)
                for reader in [*readers, late]:
                    await reader.expect(type="channel_state", channel="feed.1", state="live")
                    await reader.expect(type="message", seq=2)
        for reader in readers:
            await reader.socket.close()


@case("a name that no user can have is refused with the request")
async def _():
    async with Node() as node:
        for query in ("user=a%0A", "user=*", "user=" + "u" * 251, "since=0123456789abcdef:1"):
            try:
                await Native(node, f"/ws/connect?{query}").__aenter__()
            except Exception as refused:  # which one depends on the version of websockets
                require("400" in str(refused), f"{query}: {refused}")
            else:
                require(False, f"{query} was accepted")


if __name__ == "__main__":
    main()
