"""A source's rules: its own policy over the installation's over the rules as shipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.catalog import Catalog
from services.common.catalog_rows import Source
from services.common.policy_file import parse_policy
from services.common.rules import CatalogRules
from tests.support.clock import ManualClock


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(tmp_path / "catalog.db", ManualClock())
    yield made
    made.close()


def test_the_layers_lie_over_each_other_line_by_line(catalog: Catalog) -> None:
    base = parse_policy(
        "[cart]\nidle_ms = 1_200_000\nrecovery_ms = 9\n[stage_of_type]\nclick = 'interest'\n"
    )
    catalog.put_source(
        Source(name="shop", currency="EUR", policy="[cart]\nrecovery_ms = 8\n[labels]\na = 'b'\n")
    )
    rules = CatalogRules(catalog, base)("shop")
    assert rules.currency == "EUR"
    assert (rules.policy.cart.idle_ms, rules.policy.cart.recovery_ms) == (1_200_000, 8)
    assert rules.policy.stage_of_type["click"] == "interest"
    assert rules.policy.stage_of_type["search"] == "discovery"
    assert rules.policy.labels == {"a": "b"}


def test_a_source_without_a_policy_and_an_unknown_one_go_by_the_installation(
    catalog: Catalog,
) -> None:
    base = parse_policy("version = 7\n")
    catalog.put_source(Source(name="shop", currency="JPY"))
    rules = CatalogRules(catalog, base)
    assert (rules("shop").policy, rules("shop").currency) == (base, "JPY")
    assert rules("nobody").policy == base


def test_a_changed_source_is_seen_at_the_next_look_up(catalog: Catalog) -> None:
    rules = CatalogRules(catalog, parse_policy(""))
    catalog.put_source(Source(name="shop"))
    assert rules("shop").policy.session.gap_ms == 1_800_000
    catalog.put_source(Source(name="shop", policy="[session]\ngap_ms = 5\n"))
    assert rules("shop").policy.session.gap_ms == 5
