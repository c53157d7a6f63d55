"""A client of Ringway made from docs/protocol.md alone: nothing but Python and Debian's python3-websockets.

    client.py LOCATOR CA_FILE SECRET USER TOKEN_SECONDS [GROUP]

Keeps a session of USER until SIGTERM, in GROUP too if given, and tells on standard output, in lines of JSON, what
happens to it. A message {"to": "user:bob", "say": ...} makes it publish what is to be said, to there.
"""

import asyncio
import base64
import collections
import hashlib
import hmac
import json
import random
import secrets
import signal
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import websockets

STOP = range(4400, 4500)
AT_ONCE = range(4600, 4700)
AVOID = (4503, 4508)


def tell(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


class Over(Exception):
    """It will not get better."""


class Client:
    def __init__(self, locator, ca_file, secret, user, token_seconds, group=None):
        self.locator, self.secret, self.user, self.group = locator, secret, user, group
        self.token_seconds = int(token_seconds)
        self.tls = ssl.create_default_context(cafile=ca_file)
        self.positions = {}  # channel -> position; outlives connections
        self.resuming = set()
        self.delivered = collections.OrderedDict()  # (channel, from, id), the latest thousands
        self.unanswered = {}  # id -> frame, in the order of publishing
        self.avoid = {}  # node -> until
        self.ws = None

    # 1. asking

    def token(self):
        head = b64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        everything = {"publish": ["*"], "join": ["*"], "presence": ["*"]}
        claims = {"sub": self.user, "exp": int(time.time()) + self.token_seconds, "cap": everything}
        signed = head + b"." + b64(json.dumps(claims).encode())
        mac = hmac.new(self.secret.encode(), signed, hashlib.sha256).digest()
        return (signed + b"." + b64(mac)).decode()

    def ask(self):
        now = time.monotonic()
        self.avoid = {node: until for node, until in self.avoid.items() if until > now}
        latest = list(self.avoid)[-4:]
        query = urllib.parse.urlencode([("userId", self.user)] + [("avoid", node) for node in latest])
        request = urllib.request.Request(f"{self.locator}/route?{query}")
        request.add_header("Authorization", f"Bearer {self.token()}")
        try:
            with urllib.request.urlopen(request, timeout=5, context=self.tls) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code in (400, 401, 403):
                raise Over(f"/route: {error.code} {json.load(error)['code']}") from error
            raise

    # 2. and 7. opening, and coming back

    async def run(self):
        attempts = 0
        while True:
            began, code, stood, node = time.monotonic(), 1006, False, None
            try:
                route = await asyncio.to_thread(self.ask)
                node = route["nodeId"]
                code, stood = await self.session(route["url"])
            except (OSError, asyncio.TimeoutError, websockets.WebSocketException) as error:
                tell("failed", node=node, why=str(error))
            tell("closed", code=code)
            if code in STOP:
                raise Over(f"closed with {code}")
            if node and (code in AVOID or (not stood and code < 4000)):
                self.avoid.pop(node, None)
                self.avoid[node] = time.monotonic() + 30
            if stood and time.monotonic() - began > 5:
                attempts = 0
            if code not in AT_ONCE or attempts > 2:
                await asyncio.sleep(random.uniform(0, min(20, 0.5 * 2**attempts)))
            attempts += 1

    async def session(self, url):
        """One connection, to its end: the close code, and whether there was a welcome."""
        stood, patience = False, 10
        async with websockets.connect(
            url, ssl=self.tls, subprotocols=["ringway.v1"], compression=None, open_timeout=5, ping_interval=None
        ) as self.ws:
            try:
                while True:
                    frame = json.loads(await asyncio.wait_for(self.ws.recv(), patience))
                    if frame["type"] == "welcome":
                        stood = True
                        patience = (frame["ping"]["intervalMs"] + frame["ping"]["timeoutMs"]) / 1000
                        self.avoid.pop(frame["nodeId"], None)
                    await self.take(frame)
            except asyncio.TimeoutError:
                return 1006, stood
            except websockets.ConnectionClosed as closed:
                return (closed.rcvd.code if closed.rcvd else 1006), stood
            finally:
                self.resuming.clear()

    # 3. frames

    async def send(self, **frame):
        await self.ws.send(json.dumps(frame))

    async def take(self, frame):
        kind = frame["type"]
        if kind == "ping":
            await self.send(type="pong")
            tell("ping")
        elif kind == "welcome":
            tell("welcome", node=frame["nodeId"], channel=frame["channel"])
            if self.group:
                await self.send(type="join", channel=self.group)
            for unanswered in list(self.unanswered.values()):
                await self.send(**unanswered)
            await self.arrive(frame["channel"], frame["position"])
        elif kind == "joined":
            tell("joined", channel=frame["channel"])
            await self.arrive(frame["channel"], frame["position"])
        elif kind == "message":
            await self.message(frame)
        elif kind == "gap":
            await self.gap(frame)
        elif kind == "resumed":
            for at in frame["channels"]:
                self.resuming.discard(at["channel"])
                self.positions[at["channel"]] = at["position"]
                tell("resumed", channel=at["channel"])
        elif kind == "published":
            self.unanswered.pop(frame["id"], None)
            tell("published", reached=frame["reached"], duplicate=frame.get("duplicate", False))
        elif kind == "error":
            tell("error", code=frame["code"])
            if not frame["retryable"]:
                self.unanswered.pop(frame.get("id"), None)
            elif frame.get("id") in self.unanswered:
                await asyncio.sleep(random.uniform(0, 0.2))
                await self.send(**self.unanswered[frame["id"]])
        elif kind == "expiring":
            route = await asyncio.to_thread(self.ask)
            # for another node it would be a move; the close with 4506 leads there as well
            if route["url"].split("/ws?")[0] == self.at():
                await self.send(type="refresh", ticket=route["ticket"])
        elif kind == "refreshed":
            tell("refreshed")

    def at(self):
        return f"wss://{self.ws.host}:{self.ws.port}"

    # 4. positions

    async def arrive(self, channel, position):
        mine = self.positions.setdefault(channel, position)
        if mine != position:
            await self.resume(channel)

    async def resume(self, channel):
        if channel not in self.resuming:
            self.resuming.add(channel)
            await self.send(type="resume", positions={channel: self.positions[channel]})

    async def gap(self, frame):
        channel, after, up_to = frame["channel"], frame["after"], frame["upTo"]
        mine = self.positions.get(channel, after)
        if mine == after or (had(after, mine) and not had(up_to, mine)):
            tell("gap", channel=channel)
            self.positions[channel] = up_to
        elif not had(up_to, mine):
            await self.resume(channel)

    async def message(self, frame):
        channel, position = frame["channel"], frame.get("position")
        mine, name = self.positions.get(channel), (channel, frame["from"], frame["id"])
        if position is not None:
            if mine is None or frame["previous"] == mine:
                self.positions[channel] = position
            elif name in self.delivered or had(position, mine):
                return
            else:
                await self.resume(channel)
                return
        if name in self.delivered:
            return
        self.delivered[name] = True
        if len(self.delivered) > 4096:
            self.delivered.popitem(last=False)
        await self.deliver(channel, frame["from"], frame["data"])

    # 5. publishing

    async def deliver(self, channel, sender, data):
        tell("message", channel=channel, sender=sender, data=data)
        if isinstance(data, dict) and "say" in data:
            frame = {"type": "publish", "id": secrets.token_urlsafe(15), "to": data["to"], "data": data["say"]}
            self.unanswered[frame["id"]] = frame
            await self.send(**frame)


def had(position, mine):
    return position["epoch"] == mine["epoch"] and position["seq"] <= mine["seq"]


async def main():
    client = Client(*sys.argv[1:])
    running = asyncio.ensure_future(client.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        tell("bye")
    except Over as over:
        tell("over", why=str(over))
        sys.exit(1)


asyncio.run(main())
