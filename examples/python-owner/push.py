#!/usr/bin/env python3
"""A backend that computes who owns a channel, and pushes straight there. Python 3.9 and nothing else.

    push.py CHANNEL [--times N] [--every SECONDS]

It reads the members from a locator (GET /ring), builds the ring of docs/ring.md, and asks nobody any more: while the
locator is away, it goes on.
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import random
import secrets
import sys
import time
import urllib.error
import urllib.request

from ring import FORMAT, Ring

RETRYABLE = {"unavailable", "unknown", "rate_limited", "no_nodes", "overloaded", "not_ready", "internal"}
ATTEMPT_SECONDS = 3
# How old the ring may be before it is looked at again.
RING_SECONDS = 5

# Nodes are asked directly, whatever proxy the environment names for the outside.
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class PublishError(Exception):
    """What was refused, or not answered in time. Where it is retryable, publish again with the same id."""

    def __init__(self, code, detail):
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.retryable = code in RETRYABLE


class Backend:
    """Publishes to channels (user:alice, group:class-7). Messages come from service:<name>."""

    def __init__(self, locator, cluster_key, name, cluster="ringway"):
        self.locator = locator
        self.cluster_key = cluster_key
        self.name = name
        self.cluster = cluster
        self.ring = Ring([])
        self.addresses = {}
        self.read_at = None

    def publish(self, channel, data, message_id=None, timeout=10.0):
        """Returns (node, answer). Raises PublishError when it is refused for good, or not published in time."""
        body = {"to": channel, "data": data, "id": message_id or secrets.token_urlsafe(16)}
        deadline = time.monotonic() + timeout
        attempt = 0
        while True:
            try:
                self.follow()
                # the owner; where that does not answer the successor, which is home once the owner is gone
                owners = self.ring.owners(channel, 2)
                if not owners:
                    raise PublishError("no_nodes", "the ring is empty")
                node = owners[attempt % len(owners)]
                return node, request(f"{self.addresses[node]}/publish", self.token(node), body)
            except PublishError as error:
                self.read_at = None  # the ring may be another one by now
                wait = random.uniform(0, min(5, 0.1 * 2**attempt))
                if not error.retryable or time.monotonic() + wait > deadline:
                    raise
                time.sleep(wait)
                attempt += 1

    def follow(self):
        """Reads the ring when that is due. Where no locator answers, the ring that is known goes on."""
        now = time.monotonic()
        if self.read_at is not None and now - self.read_at < RING_SECONDS:
            return
        try:
            document = request(f"{self.locator}/ring", self.token("locator"))
        except PublishError as error:
            if not (error.retryable and self.ring.members):
                raise
        else:
            self.take(document)
        self.read_at = now

    def take(self, document):
        """Builds the ring of a locator's answer, and believes it only if both come to the same checksum."""
        if document["format"] != FORMAT:
            raise PublishError("bad_ring", f"ring format {document['format']}, this knows {FORMAT}")
        up = [member for member in document["members"] if member["state"] == "up"]
        if document["checksum"] != self.ring.checksum():
            ring = Ring([(member["id"], member["weight"]) for member in up])
            if ring.checksum() != document["checksum"]:
                raise PublishError("bad_ring", f"computed {ring.checksum()}, not {document['checksum']}")
            self.ring = ring
        self.addresses = {member["id"]: member["internalUrl"] for member in up}

    def token(self, audience):
        """A cluster token: for the locator, or for one node (docs/backends.md)."""
        header = {"alg": "HS256", "typ": "ringway-cluster+jwt"}
        claims = {
            "iss": self.cluster,
            "sub": self.name,
            "aud": audience,
            "scope": "push",
            "exp": int(time.time()) + 60,
        }
        signed = f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(claims).encode())}"
        mac = hmac.new(self.cluster_key, signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64url(mac)}"


def request(url, token, body=None):
    """GET, or POST of a JSON body. Returns what the answer says; raises PublishError, also where none came."""
    headers = {"Authorization": f"Bearer {token}"}
    data = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
    try:
        with direct.open(urllib.request.Request(url, data, headers), timeout=ATTEMPT_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as answer:
        raise read_problem(answer) from None
    except (OSError, ValueError) as error:  # refused, reset, too late, cut off: it may have been stored
        raise PublishError("unknown", f"no answer from {url}: {error}") from error


def read_problem(answer):
    """application/problem+json, or what comes closest where something else answered."""
    try:
        problem = json.load(answer)
        return PublishError(problem["code"], problem.get("detail", ""))
    except (OSError, ValueError, TypeError, KeyError):
        return PublishError("internal", f"HTTP {answer.code}")


def newest_key(text):
    """The key that signs: the first of RINGWAY_CLUSTER_KEYS."""
    first = text.replace(",", " ").split()[0]
    return base64.b64decode(first[7:]) if first.startswith("base64:") else first.encode()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def main():
    parser = argparse.ArgumentParser(description="Sends numbers to a channel, straight to its owner.")
    parser.add_argument("channel", help="user:ID or group:NAME")
    parser.add_argument("--times", type=int, default=3, help="how many (default 3)")
    parser.add_argument("--every", type=float, default=0.5, metavar="SECONDS", help="how often (default 0.5)")
    options = parser.parse_args()
    backend = Backend(
        locator=os.environ.get("LOCATOR_INTERNAL_URL", "http://127.0.0.1:8081"),
        cluster_key=newest_key(os.environ["RINGWAY_CLUSTER_KEYS"]),
        name="billing",
        cluster=os.environ.get("RINGWAY_CLUSTER", "ringway"),
    )
    backend.follow()
    print(f"ring {backend.ring.checksum()} of {', '.join(backend.addresses)}", flush=True)
    print(f"{options.channel}: {' then '.join(backend.ring.owners(options.channel, 2))}", flush=True)
    for number in range(1, options.times + 1):
        time.sleep(options.every if number > 1 else 0)
        node, answer = backend.publish(options.channel, {"number": number})
        print(f"{number}: message {answer['position']['seq']}, by {node}, reached {answer['reached']} sessions", flush=True)


if __name__ == "__main__":
    try:
        main()
    except PublishError as refused:
        sys.exit(f"push.py: {refused}")
