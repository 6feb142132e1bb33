"""The closed list of Prometheus metrics and the page made of it."""

from typing import get_args

import pytest

from services.common.metrics import SPECS, Metrics, Name, as_markdown


def test_every_listed_name_has_its_meaning_and_nothing_else_has() -> None:
    assert set(get_args(Name)) == set(SPECS)
    assert all(spec.meaning.endswith(".") and spec.do.endswith(".") for spec in SPECS.values())


def test_every_metric_is_exposed_gauges_once_they_have_a_value() -> None:
    metrics = Metrics()
    before = metrics.expose().decode()
    for name, spec in SPECS.items():
        assert (f"# TYPE {name} " in before) == (spec.kind != "gauge")
        if spec.kind == "gauge":
            metrics.set(name, 1, **dict.fromkeys(spec.labels, "x"))
    exposed = metrics.expose().decode()
    assert all(f"# TYPE {name} " in exposed for name in SPECS)


def test_a_gauge_that_is_read_where_it_is_known_is_exposed() -> None:
    metrics = Metrics()
    metrics.follow("waymark_loader_lag_records", lambda: 0.0)
    metrics.follow("waymark_loader_lag_records", lambda: 3.0)
    exposed = metrics.expose().decode()
    assert "waymark_loader_lag_records 3.0" in exposed
    assert "waymark_sessionizer_lag_records" not in exposed


def test_counts_reach_the_exposition() -> None:
    metrics = Metrics()
    metrics.count("waymark_ingest_events_total", 3, source="shop", outcome="accepted")
    metrics.set("waymark_log_end_offset", 7)
    metrics.observe("waymark_log_append_seconds", 0.002)
    text = metrics.expose().decode()
    assert 'waymark_ingest_events_total{outcome="accepted",source="shop"} 3.0' in text
    assert "waymark_log_end_offset 7.0" in text
    assert "waymark_log_append_seconds_count 1.0" in text


def test_a_metric_used_as_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="is a gauge, not a counter"):
        Metrics().count("waymark_log_end_offset")


def test_the_page_names_every_metric() -> None:
    page = as_markdown()
    assert all(f"`{name}`" in page for name in SPECS)
