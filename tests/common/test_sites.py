"""What may be named as a host of a storefront."""

import pytest

from services.common.errors import InvalidError
from services.common.sites import host_named


@pytest.mark.parametrize(
    "host",
    ["shop.example", "WWW.Shop.Example.", "localhost:3000", "192.0.2.7", "bücher.example",
     "xn--bcher-kva.example", "my_shop"],
)  # fmt: skip
def test_a_host_is_taken_as_it_is_named(host: str) -> None:
    assert host_named(f" {host} ") == host


@pytest.mark.parametrize(
    ("pasted", "alone"),
    [
        ("https://shop.example/", "shop.example"),
        ("http://www.shop.example:8080/p?q", "shop.example"),
        ("shop.example/cart", "shop.example"),
        ("//shop.example", "shop.example"),
    ],
)
def test_a_pasted_url_is_refused_with_its_host(pasted: str, alone: str) -> None:
    with pytest.raises(InvalidError) as refused:
        host_named(pasted)
    assert str(refused.value) == f"host = {pasted!r}: give the host alone: {alone}"


@pytest.mark.parametrize(
    "text",
    ["", "https://x y", "x y", "*.shop.example", "shop..example", "/cart", "a,b", "http://["],
)
def test_what_is_no_host_is_refused_by_name_and_value(text: str) -> None:
    with pytest.raises(InvalidError) as refused:
        host_named(text)
    assert str(refused.value).startswith(f"host = {text!r}: a host is a name such as shop.example")
