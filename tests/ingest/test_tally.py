from services.common.metrics import Metrics
from services.ingest.tally import MANY_SECONDS, Tally


def value(metrics: Metrics, line: str) -> float:
    lines = metrics.expose().decode().splitlines()
    return next(float(one.split()[-1]) for one in lines if one.startswith(line + " "))


def test_each_count_is_told_once_however_often_the_metrics_are_asked_for() -> None:
    metrics = Metrics()
    tally = Tally(metrics)
    for times in (1, 2):
        tally.answered(200, "", 0.002)
        tally.answered(429, "overloaded", 0.001)
        tally.accepted("shop", 100)
        tally.refused("shop", "too_old")
        for _ in range(2):
            assert value(metrics, 'waymark_ingest_requests_total{code="",status="200"}') == times
            line = 'waymark_ingest_requests_total{code="overloaded",status="429"}'
            assert value(metrics, line) == times
            line = 'waymark_ingest_events_total{outcome="accepted",source="shop"}'
            assert value(metrics, line) == 100 * times
            line = 'waymark_ingest_events_total{outcome="refused",source="shop"}'
            assert value(metrics, line) == times
            assert value(metrics, 'waymark_ingest_refused_total{code="too_old"}') == times
            assert value(metrics, "waymark_ingest_request_seconds_count") == 2 * times


def test_durations_do_not_pile_up_where_nobody_asks() -> None:
    metrics = Metrics()
    tally = Tally(metrics)
    for _ in range(MANY_SECONDS + 5):
        tally.answered(200, "", 0.002)
    assert len(tally._seconds) == 5
    assert value(metrics, "waymark_ingest_request_seconds_count") == MANY_SECONDS + 5
