#!/usr/bin/env python3
"""The ring against the vectors that every implementation must reproduce: test_ring.py [vectors.json]"""
import json
import sys
from pathlib import Path

from ring import FORMAT, VIRTUAL_NODES, Ring, murmur3, utf8, virtual_nodes

REPOSITORY = Path(__file__).resolve().parents[2]


def cases(vectors):
    """(what, what we make of it, what it must be)"""
    yield "format", FORMAT, vectors["format"]
    yield "virtualNodes", VIRTUAL_NODES, vectors["virtualNodes"]
    for entry in vectors["keys"]:
        yield f"point of {entry['key']!r}", murmur3(utf8(entry["key"])), entry["point"]
    for entry in vectors["virtualNodePoints"]:
        name = entry["number"].to_bytes(4, "little") + utf8(entry["id"])
        yield f"point {entry['number']} of {entry['id']!r}", murmur3(name), entry["point"]
    for entry in vectors["rings"]:
        where = f"ring {entry['name']!r}: "
        ring = Ring([(member["id"], member["weight"]) for member in entry["members"]])
        yield f"{where}order of members", [i for i, _ in ring.members], [m["id"] for m in entry["members"]]
        for member in entry["members"]:
            yield f"{where}points of {member['id']!r}", virtual_nodes(member["weight"]), member["points"]
        yield f"{where}checksum", ring.checksum(), entry["checksum"]
        for query in entry["owners"]:
            yield f"{where}owners of {query['key']!r}", ring.owners(query["key"], 3), query["owners"]


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "packages/ring/vectors.json"
    checked = list(cases(json.loads(path.read_text(encoding="utf-8"))))
    wrong = [case for case in checked if case[1] != case[2]]
    for what, got, expected in wrong:
        print(f"{what}: got {got!r}, expected {expected!r}", file=sys.stderr)
    print(f"{len(checked) - len(wrong)} of {len(checked)} vectors hold")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
