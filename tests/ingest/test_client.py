from collections.abc import Sequence

import pytest

from services.ingest.client import Callers

TRUSTED = ("10.0.0.0/8", "fd00::/8", "127.0.0.1/32")


def scope(peer: str | None, *headers: tuple[str, str]) -> dict[str, object]:
    return {
        "client": (peer, 4711) if peer is not None else None,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # a stranger's word counts for nothing
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),  # the left part may be forged
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1, 10.1.1.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),  # two header lines are one list
        ("10.0.0.1", ["10.2.2.2, 10.1.1.1"], "10.2.2.2"),  # proxies all the way: the farthest
        ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, unknown, 10.1.1.1"], "10.1.1.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:5123"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("fd00::1", ["2001:db8::2"], "2001:db8::2"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_rightmost_untrusted_address_is_the_client(
    peer: str, forwarded: Sequence[str], client: str
) -> None:
    headers = [("x-forwarded-for", value) for value in forwarded]
    assert Callers(TRUSTED).of(scope(peer, *headers)).ip == client


def test_without_trusted_proxies_only_the_peer_counts() -> None:
    assert Callers().of(scope("127.0.0.1", ("x-forwarded-for", "6.6.6.6"))).ip == "127.0.0.1"
    assert Callers(TRUSTED).of(scope(None)).ip == ""


@pytest.mark.parametrize(
    ("peer", "value", "country"),
    [
        ("10.0.0.1", "de", "DE"),
        ("10.0.0.1", "XX1", ""),
        ("10.0.0.1", "ÄÖ", ""),
        ("203.0.113.9", "DE", ""),
    ],
)
def test_the_country_is_believed_of_a_trusted_proxy_alone(
    peer: str, value: str, country: str
) -> None:
    callers = Callers(TRUSTED, "CF-IPCountry")
    assert callers.of(scope(peer, ("cf-ipcountry", value))).country == country
