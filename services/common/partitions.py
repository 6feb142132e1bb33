"""Which partition of the log a visitor belongs to: murmur2, as Kafka's own Java client has it.

A foreign producer that sends events keyed by visitor, with the default partitioner of the Java,
aiokafka or franz-go client, therefore meets the partition that we write to.
"""

import struct
from functools import lru_cache

SEED = 0x9747B28C
MIX = 0x5BD1E995
WORD = 0xFFFFFFFF
POSITIVE = 0x7FFFFFFF
KNOWN = 65_536
"""Keys whose hash is remembered: one costs about 2 µs to compute, and a visitor comes often."""
SEPARATOR = b"\x1f"


def key_of(source: str, address: str) -> bytes:
    """Return the key of a visitor, or of the address of a link: UTF-8 source, 0x1F, address."""
    return source.encode() + SEPARATOR + address.encode()


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key, 0 up to ``partitions`` - 1."""
    return (murmur2(key) & POSITIVE) % partitions


@lru_cache(KNOWN)
def murmur2(key: bytes) -> int:
    """Return the 32-bit hash, unsigned (``org.apache.kafka.common.utils.Utils.murmur2``)."""
    size = len(key)
    words = size >> 2
    h = (SEED ^ size) & WORD
    for word in struct.unpack_from(f"<{words}I", key):
        k = word * MIX & WORD
        h = (h * MIX & WORD) ^ ((k ^ (k >> 24)) * MIX & WORD)
    rest = key[words << 2 :]
    if rest:
        h = ((h ^ int.from_bytes(rest, "little")) * MIX) & WORD
    h = ((h ^ (h >> 13)) * MIX) & WORD
    return h ^ (h >> 15)
