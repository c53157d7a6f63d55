#!/usr/bin/env python3
"""A second implementation of docs/ring.md, written from that page alone, that checks vectors.json.

Usage: check_ring.py [vectors.json]
Exit code 0 when every vector holds; 1, with the mismatches named, when not. Python 3 and nothing else.
"""
import hashlib
import json
import math
import re
import sys
from bisect import bisect_left
from pathlib import Path

FORMAT = 1
V = 2048
MASK = 0xFFFFFFFF
LAST = MASK


def utf8(text):
    """Section 1: U+FFFD for each lone surrogate."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text).encode("utf-8")


def rotl(x, by):
    return ((x << by) | (x >> (32 - by))) & MASK


def scramble(k):
    return rotl(k * 0xCC9E2D51 & MASK, 15) * 0x1B873593 & MASK


def hash32(data):
    """Section 2: MurmurHash3_x86_32, seed 0."""
    h = 0
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        h ^= scramble(int.from_bytes(data[at : at + 4], "little"))
        h = (rotl(h, 13) * 5 + 0xE6546B64) & MASK
    if whole < len(data):
        h ^= scramble(int.from_bytes(data[whole:], "little"))
    h ^= len(data)
    h = (h ^ (h >> 16)) * 0x85EBCA6B & MASK
    h = (h ^ (h >> 13)) * 0xC2B2AE35 & MASK
    return h ^ (h >> 16)


def virtual_nodes(weight):
    """Section 3: how many."""
    x = weight * V
    whole = math.floor(x)
    return max(1, whole + (1 if x - whole >= 0.5 else 0))


def virtual_node_point(member_id, number):
    return hash32(number.to_bytes(4, "little") + utf8(member_id))


class Ring:
    def __init__(self, members):
        self.members = sorted(((m["id"], m["weight"]) for m in members), key=lambda m: utf8(m[0]))
        entries = []
        for member_id, weight in self.members:
            name = utf8(member_id)
            for number in range(virtual_nodes(weight)):
                entries.append((virtual_node_point(member_id, number), name, member_id))
        entries.sort(key=lambda e: e[:2])
        self.points = [e[0] for e in entries]
        self.ids = [e[2] for e in entries]

    def owners_at(self, point, n):
        """Section 4."""
        found = []
        start = bisect_left(self.points, point)
        for step in range(len(self.points)):
            if len(found) == n:
                break
            member_id = self.ids[(start + step) % len(self.ids)]
            if member_id not in found:
                found.append(member_id)
        return found

    def owner_at(self, point):
        return self.owners_at(point, 1)[0] if self.points else None

    def owners(self, key, n):
        if key == "":
            raise ValueError("empty key")
        return self.owners_at(hash32(utf8(key)), n)

    def checksum(self):
        """Section 5."""
        text = b"ringway-ring %d\n" % FORMAT
        for member_id, weight in self.members:
            name = utf8(member_id)
            text += b"%d:%s %d\n" % (len(name), name, virtual_nodes(weight))
        return hashlib.sha256(text).hexdigest()[:16]

    def layout(self):
        lines = "".join(f"{point} {member_id}\n" for point, member_id in zip(self.points, self.ids))
        return hashlib.sha256(utf8(lines)).hexdigest()


def moved_ranges(before, after):
    """Section 6, over all the points: the plain way."""
    ranges = []
    start = 0
    for end in sorted({*before.points, *after.points, LAST}):
        giver, taker = before.owner_at(end), after.owner_at(end)
        if giver != taker:
            last = ranges[-1] if ranges else None
            if last and last["end"] == start - 1 and (last["from"], last["to"]) == (giver, taker):
                last["end"] = end
            else:
                ranges.append({"start": start, "end": end, "from": giver, "to": taker})
        start = end + 1
    return ranges


def moved_digest(ranges):
    lines = "".join(f"{r['start']} {r['end']} {r['from'] or ''} {r['to'] or ''}\n" for r in ranges)
    return hashlib.sha256(utf8(lines)).hexdigest()


class Checks:
    def __init__(self):
        self.done = 0
        self.wrong = []

    def equal(self, what, got, expected):
        self.done += 1
        if got != expected:
            self.wrong.append(f"{what}: the document gives {got!r}, the vector says {expected!r}")


def check(vectors):
    checks = Checks()
    checks.equal("format", FORMAT, vectors["format"])
    checks.equal("virtualNodes", V, vectors["virtualNodes"])
    for entry in vectors["keys"]:
        data = utf8(entry["key"])
        checks.equal(f"keys {entry['key']!r} utf8", data.hex(), entry["utf8"])
        checks.equal(f"keys {entry['key']!r} point", hash32(data), entry["point"])
    for entry in vectors["longKeys"]:
        data = utf8(entry["part"] * entry["times"])
        checks.equal(f"longKeys {entry['part']!r} x {entry['times']}", hash32(data), entry["point"])
    for entry in vectors["virtualNodePoints"]:
        point = virtual_node_point(entry["id"], entry["number"])
        checks.equal(f"virtualNodePoints {entry['id']!r} {entry['number']}", point, entry["point"])
    rings = {}
    for entry in vectors["rings"]:
        ring = rings[entry["name"]] = Ring(entry["members"])
        name = f"rings {entry['name']!r}"
        members = [{"id": i, "weight": w, "points": virtual_nodes(w)} for i, w in ring.members]
        checks.equal(f"{name} members", members, entry["members"])
        checks.equal(f"{name} checksum", ring.checksum(), entry["checksum"])
        checks.equal(f"{name} layout", ring.layout(), entry["layout"])
        for query in entry["owners"]:
            checks.equal(f"{name} owners {query['key']!r}", ring.owners(query["key"], 3), query["owners"])
        for query in entry["ownersAt"]:
            checks.equal(f"{name} ownersAt {query['point']}", ring.owners_at(query["point"], 3), query["owners"])
    for entry in vectors["moved"]:
        name = f"moved {entry['before']!r} to {entry['after']!r}"
        ranges = moved_ranges(rings[entry["before"]], rings[entry["after"]])
        checks.equal(f"{name} count", len(ranges), entry["count"])
        checks.equal(f"{name} points", sum(r["end"] - r["start"] + 1 for r in ranges), entry["points"])
        checks.equal(f"{name} first", ranges[:4], entry["first"])
        checks.equal(f"{name} last", ranges[-4:], entry["last"])
        checks.equal(f"{name} digest", moved_digest(ranges), entry["digest"])
    return checks


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "vectors.json"
    checks = check(json.loads(path.read_text(encoding="utf-8")))
    for line in checks.wrong:
        print(f"MISMATCH {line}", file=sys.stderr)
    if checks.wrong:
        print(f"{len(checks.wrong)} of {checks.done} checks failed", file=sys.stderr)
        return 1
    print(f"{checks.done} checks passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
