"""The ring of docs/ring.md, format 1: who owns a channel. Python 3 and nothing else."""
import hashlib
import math
import re
from bisect import bisect_left

FORMAT = 1
VIRTUAL_NODES = 2048
MASK = 0xFFFFFFFF


class Ring:
    """Made of (id, weight) of each member that is up. Never changes: build a new one when the members do."""

    def __init__(self, members):
        self.members = sorted(members, key=lambda member: utf8(member[0]))
        points = []
        for member_id, weight in self.members:
            name = utf8(member_id)
            for number in range(virtual_nodes(weight)):
                points.append((murmur3(number.to_bytes(4, "little") + name), name, member_id))
        points.sort()  # equal points by the bytes of the ids
        self.points = [point for point, _, _ in points]
        self.ids = [member_id for _, _, member_id in points]

    def owners(self, channel, count=1):
        """Ids of the owner, of its successor and so on: the first `count` distinct members from the channel's point on."""
        start = bisect_left(self.points, murmur3(utf8(channel)))
        found = []
        for step in range(len(self.ids)):
            member_id = self.ids[(start + step) % len(self.ids)]
            if member_id not in found:
                found.append(member_id)
                if len(found) == count:
                    break
        return found

    def checksum(self):
        """Equal for two rings that place every channel alike, in whatever language they were built."""
        text = b"ringway-ring %d\n" % FORMAT
        for member_id, weight in self.members:
            name = utf8(member_id)
            text += b"%d:%s %d\n" % (len(name), name, virtual_nodes(weight))
        return hashlib.sha256(text).hexdigest()[:16]


def virtual_nodes(weight):
    whole = math.floor(weight * VIRTUAL_NODES)
    return max(1, whole + (weight * VIRTUAL_NODES - whole >= 0.5))


def utf8(text):
    """U+FFFD for each lone surrogate, which UTF-8 cannot hold."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text).encode("utf-8")


def murmur3(data):
    """MurmurHash3_x86_32 with seed 0. Libraries have it, too, and faster."""
    h = 0
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        h ^= scramble(int.from_bytes(data[at : at + 4], "little"))
        h = (rotate(h, 13) * 5 + 0xE6546B64) & MASK
    if whole < len(data):
        h ^= scramble(int.from_bytes(data[whole:], "little"))
    h ^= len(data)
    h = (h ^ (h >> 16)) * 0x85EBCA6B & MASK
    h = (h ^ (h >> 13)) * 0xC2B2AE35 & MASK
    return h ^ (h >> 16)


def scramble(k):
    return rotate(k * 0xCC9E2D51 & MASK, 15) * 0x1B873593 & MASK


def rotate(x, by):
    return ((x << by) | (x >> (32 - by))) & MASK
