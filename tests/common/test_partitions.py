"""The partition of a visitor: the same as every other client of Kafka would choose."""

import pytest
from aiokafka.partitioner import murmur2 as peer
from hypothesis import given
from hypothesis import strategies as st

from services.common.partitions import key_of, murmur2, partition_of


@pytest.mark.parametrize(
    ("text", "signed"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_the_hash_is_the_java_clients(text: str, signed: int) -> None:
    assert murmur2(text.encode()) == signed % 2**32


@given(st.binary(max_size=100))
def test_the_hash_agrees_with_another_client(key: bytes) -> None:
    assert murmur2(key) == peer(key) & 0xFFFFFFFF


@given(st.text(max_size=40), st.integers(1, 1_000))
def test_every_address_has_one_partition_within_the_range(address: str, partitions: int) -> None:
    key = key_of("shop", address)
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(key, partitions) == (peer(key) & 0x7FFFFFFF) % partitions


def test_the_key_is_source_separator_address() -> None:
    assert key_of("shop", "v ü") == b"shop\x1fv \xc3\xbc"
