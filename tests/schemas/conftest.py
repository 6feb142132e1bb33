"""A source, a request, and a short way to send one item through normalisation."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from schemas.context import Context, site
from schemas.event import Event
from schemas.normalise import normalise
from schemas.refusal import Refusal

NOW = 1_795_255_200_000  # 2026-11-21T10:00:00Z
Accept = Callable[..., Event]
Refuse = Callable[..., Refusal]


def context(**given: Any) -> Context:
    settings: dict[str, Any] = {
        "site": site("shop", currency="EUR", hosts=["shop.example"]),
        "received_ms": NOW,
        "new_id": lambda: "random-1",
    }
    return Context(**(settings | given))


def as_bytes(item: Any) -> bytes:
    return item if isinstance(item, bytes) else json.dumps(item).encode()


@pytest.fixture
def make() -> Callable[..., Context]:
    """Return a maker of contexts: a request now, with a server key of the source ``shop``."""
    return context


@pytest.fixture
def accept() -> Accept:
    """Return a way to normalise an item that must be taken."""

    def run(item: Any, **given: Any) -> Event:
        found = normalise(as_bytes(item), context(**given))
        assert isinstance(found, Event), found
        return found

    return run


@pytest.fixture
def refuse() -> Refuse:
    """Return a way to normalise an item that must be refused."""

    def run(item: Any, **given: Any) -> Refusal:
        found = normalise(as_bytes(item), context(**given))
        assert isinstance(found, Refusal), found
        return found

    return run
