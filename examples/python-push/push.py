#!/usr/bin/env python3
"""A backend that pushes to users by plain HTTP. Python 3.9 and nothing else.

    push.py USER [--times N] [--every SECONDS]

It asks a locator who owns the user (GET /owner), and posts the message to that node (POST /publish).
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
import urllib.parse
import urllib.request

# Worth another try with the same id. "unknown" may have been stored, and is not stored again.
RETRYABLE = {"unavailable", "unknown", "rate_limited", "no_nodes", "overloaded", "not_ready", "internal"}
ATTEMPT_SECONDS = 3
# A token is not used up to its last moment.
TOKEN_MARGIN = 10

# Nodes are asked directly, whatever proxy the environment names for the outside.
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class PublishError(Exception):
    """What was refused, or not answered in time. Where it is retryable, publish again with the same id."""

    def __init__(self, code, detail, retry_after=0.0):
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.retryable = code in RETRYABLE
        self.retry_after = retry_after


class Pusher:
    """Publishes to users, each message straight to the node that owns the user. Messages come from service:<name>."""

    def __init__(self, locator, cluster_key, name, cluster="ringway", clock=time.time):
        self.locator = locator
        self.cluster_key = cluster_key
        self.name = name
        self.cluster = cluster
        self.clock = clock
        self.owners = {}

    def publish(self, user, data, message_id=None, timeout=10.0):
        """Returns the answer: id, reached, position and, where the id was stored before, duplicate.

        Raises PublishError when it is refused for good, or not published within the timeout.
        """
        message_id = message_id or secrets.token_urlsafe(16)  # one for all attempts: stored once
        body = {"to": f"user:{user}", "data": data, "id": message_id}
        deadline = time.monotonic() + timeout
        attempt = 0
        while True:
            cached = user in self.owners
            try:
                owner = self.owner(user)
                return request(f"{owner['internalUrl']}/publish", owner["token"], body)
            except PublishError as error:
                # the owner may be another one by now, or its token too old
                self.owners.pop(user, None)
                stale = cached and error.code == "unauthenticated"
                if not (error.retryable or stale):
                    raise
                wait = 0 if stale else error.retry_after + random.uniform(0, min(5, 0.1 * 2**attempt))
                if time.monotonic() + wait > deadline:
                    raise
                time.sleep(wait)
                attempt += 1

    def owner(self, user):
        """Where the user's node is, and the token for it; remembered for as long as the token lives (60 s)."""
        known = self.owners.get(user)
        if known is None or known["expiresAt"] / 1000 < self.clock() + TOKEN_MARGIN:
            query = urllib.parse.urlencode({"userId": user})
            known = request(f"{self.locator}/owner?{query}", self.token("locator"))
            self.owners[user] = known
        return known

    def token(self, audience):
        """A cluster token, which says who this backend is (docs/backends.md)."""
        header = {"alg": "HS256", "typ": "ringway-cluster+jwt"}
        claims = {
            "iss": self.cluster,
            "sub": self.name,
            "aud": audience,
            "scope": "push",
            "exp": int(self.clock()) + 60,
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
        problem = read_problem(answer)
        retry_after = problem.get("retryAfterMs", 0) / 1000
        raise PublishError(problem["code"], problem.get("detail", url), retry_after) from None
    except (OSError, ValueError) as error:  # refused, reset, too late, cut off: it may have been stored
        raise PublishError("unknown", f"no answer from {url}: {error}") from error


def read_problem(answer):
    """application/problem+json, or what comes closest where something else answered."""
    try:
        problem = json.load(answer)
        return problem if "code" in problem else {"code": "internal", "detail": f"HTTP {answer.code}"}
    except (OSError, ValueError, TypeError):
        return {"code": "internal", "detail": f"HTTP {answer.code}"}


def newest_key(text):
    """The key that signs: the first of RINGWAY_CLUSTER_KEYS."""
    first = text.replace(",", " ").split()[0]
    return base64.b64decode(first[7:]) if first.startswith("base64:") else first.encode()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def main():
    parser = argparse.ArgumentParser(description="Sends invoices to a user, by plain HTTP.")
    parser.add_argument("user")
    parser.add_argument("--times", type=int, default=3, help="how many (default 3)")
    parser.add_argument("--every", type=float, default=0.5, metavar="SECONDS", help="how often (default 0.5)")
    options = parser.parse_args()
    pusher = Pusher(
        locator=os.environ.get("LOCATOR_INTERNAL_URL", "http://127.0.0.1:8081"),
        cluster_key=newest_key(os.environ["RINGWAY_CLUSTER_KEYS"]),
        name="billing",
        cluster=os.environ.get("RINGWAY_CLUSTER", "ringway"),
    )
    run = secrets.token_hex(4)
    for number in range(1, options.times + 1):
        time.sleep(options.every if number > 1 else 0)
        invoice = {"invoice": number, "total": "12.50"}
        show(number, pusher, options.user, pusher.publish(options.user, invoice, f"invoice-{run}-{number}"))
    # what whoever got no answer does: the same again, which is stored once and reaches nobody twice
    again = pusher.publish(options.user, invoice, f"invoice-{run}-{number}")
    show(number, pusher, options.user, again)


def show(number, pusher, user, answer):
    node = pusher.owner(user)["nodeId"]
    if answer.get("duplicate"):
        print(f"invoice {number}: was there already, as message {answer['position']['seq']}", flush=True)
    else:
        place = f"message {answer['position']['seq']} of user:{user}"
        print(f"invoice {number}: {place}, by {node}, reached {answer['reached']} sessions", flush=True)


if __name__ == "__main__":
    try:
        main()
    except PublishError as refused:
        sys.exit(f"push.py: {refused}")
