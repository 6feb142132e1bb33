"""The closed list of Prometheus metrics: name, kind, meaning, and what to do about it.

``docs/metrics.md`` is generated from this list. Code counts through ``Metrics``, whose methods take
a ``Name``, so that a name that is not listed does not pass the type checker.
"""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

Name = Literal[
    "waymark_ingest_requests_total",
    "waymark_ingest_events_total",
    "waymark_ingest_refused_total",
    "waymark_ingest_in_flight_bytes",
    "waymark_ingest_request_seconds",
    "waymark_log_append_seconds",
    "waymark_log_waiting_bytes",
    "waymark_log_stuck_partitions",
    "waymark_log_end_offset",
    "waymark_log_clock_behind_seconds",
    "waymark_sessionizer_applied_offset",
    "waymark_sessionizer_lag_records",
    "waymark_sessionizer_events_total",
    "waymark_sessionizer_rows_total",
    "waymark_sessionizer_partition_applied_offset",
    "waymark_sessionizer_partition_lag_records",
    "waymark_sessionizer_partition_states",
    "waymark_sessionizer_partition_state_bytes",
    "waymark_sessionizer_restored_share",
    "waymark_sessionizer_transaction_seconds",
    "waymark_sessionizer_poison_total",
    "waymark_loader_rows_total",
    "waymark_loader_lag_records",
    "waymark_loader_outbox_rows",
    "waymark_loader_insert_seconds",
    "waymark_query_seconds",
    "waymark_stream_behind",
    "waymark_stream_clients",
    "waymark_stream_cut_total",
]
"""Every metric Waymark may expose."""

IngestOutcome = Literal["accepted", "refused"]
"""How an item that reached ingest ended."""

FoldOutcome = Literal["folded", "repeated", "late"]
"""What became of an event that reached the fold."""


class Spec(Struct, frozen=True):
    """One metric: its kind, labels, meaning, and what an operator does when it looks wrong."""

    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    do: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

SPECS: dict[Name, Spec] = {
    "waymark_ingest_requests_total": Spec(
        "counter",
        "Requests to the ingest endpoint by answer: the status code and the refusal's code.",
        "A rise of 401 is a wrong key in a storefront; of 429 or 503 see the next hops.",
        ("status", "code"),
    ),
    "waymark_ingest_events_total": Spec(
        "counter",
        "Items by outcome: accepted (durable in the log) or refused (kept as dead letters).",
        "Compare with what the storefront believes it sent; refused ones are in `waymark dlq ls`.",
        ("source", "outcome"),
    ),
    "waymark_ingest_refused_total": Spec(
        "counter",
        "Refused items by reason, the closed list of refusal codes.",
        "`waymark dlq ls` shows each with its original bytes; mend the storefront, then retry.",
        ("code",),
    ),
    "waymark_ingest_in_flight_bytes": Spec(
        "gauge",
        "Bytes of requests that are not answered yet.",
        "Near WAYMARK_IN_FLIGHT_BYTES: the disk is slow or the load too high for one machine.",
    ),
    "waymark_ingest_request_seconds": Spec(
        "histogram",
        "Time from the first byte of a request to its answer, durable append included.",
        "A high 99th percentile is mostly the disk: compare waymark_log_append_seconds.",
        (),
        FAST,
    ),
    "waymark_log_append_seconds": Spec(
        "histogram",
        "Time of one group commit of the log, its fsync included.",
        "Above 20 ms: the disk is shared or failing; move the data folder.",
        (),
        FAST,
    ),
    "waymark_log_waiting_bytes": Spec(
        "gauge",
        "Bytes that ingest has for Kafka and the brokers have not acknowledged.",
        "Near WAYMARK_IN_FLIGHT_BYTES: the brokers are slower than the load.",
    ),
    "waymark_log_stuck_partitions": Spec(
        "gauge",
        "Partitions whose last batch no broker has acknowledged for a second or more.",
        "Above zero for long: a broker is away, or fewer copies are in sync than must be.",
    ),
    "waymark_log_end_offset": Spec(
        "gauge", "Greatest offset written to the log.", "Flat while shoppers come: ingest is down."
    ),
    "waymark_log_clock_behind_seconds": Spec(
        "gauge",
        "How far the wall clock stands behind the log's clock, which never goes back.",
        "Above zero no deadline fires: set the machine's clock right (NTP) and wait.",
    ),
    "waymark_sessionizer_applied_offset": Spec(
        "gauge",
        "Newest log record all of whose events have settled.",
        "It trails the end by the grace (30 s) when all is well.",
    ),
    "waymark_sessionizer_lag_records": Spec(
        "gauge",
        "Log records not yet read by the sessionizer.",
        "Growing for minutes: one core is not enough for this load.",
    ),
    "waymark_sessionizer_events_total": Spec(
        "counter",
        "Events by what became of them: folded, repeated (dropped) or late (marked for a rebuild).",
        "Many late: a clock or a queue. Many repeated: a storefront sends again what was taken.",
        ("outcome",),
    ),
    "waymark_sessionizer_rows_total": Spec(
        "counter",
        "Rows emitted, by table; event_flags are late events, dead_letters lines nobody can read.",
        "No sessions while events come: the log of the process. Many late: a clock or a queue.",
        ("table",),
    ),
    "waymark_sessionizer_partition_applied_offset": Spec(
        "gauge",
        "Newest record of a partition all of whose events have settled.",
        "It trails the end by the grace (30 s) when all is well.",
        ("partition",),
    ),
    "waymark_sessionizer_partition_lag_records": Spec(
        "gauge",
        "Records of a partition that its worker has not folded yet.",
        "Growing on all: start another worker. On one: its worker's log.",
        ("partition",),
    ),
    "waymark_sessionizer_partition_states": Spec(
        "gauge",
        "Visitors of a partition with a state or a stub.",
        "Far from the other partitions': one visitor id is shared by many.",
        ("partition",),
    ),
    "waymark_sessionizer_partition_state_bytes": Spec(
        "gauge",
        "Bytes of a partition's states at rest, keys with them.",
        "Sum them up for a worker's memory; start another worker before it is used up.",
        ("partition",),
    ),
    "waymark_sessionizer_restored_share": Spec(
        "gauge",
        "How much of a partition's states the worker has read when taking it over, 0 to 1.",
        "Below 1 for a minute: the brokers are slow.",
        ("partition",),
    ),
    "waymark_sessionizer_transaction_seconds": Spec(
        "histogram",
        "Time of one transaction: states, outputs, forwards and meta of a group of records.",
        "Above 0.25 s: the brokers' disks or the network between them.",
        (),
        FAST,
    ),
    "waymark_sessionizer_poison_total": Spec(
        "counter",
        "Lines and records of the log that nobody can fold.",
        "`waymark dlq ls` shows each with its reason and position; mend whoever writes them.",
    ),
    "waymark_loader_rows_total": Spec(
        "counter", "Rows inserted into storage, by table.", "Flat: see the lag below.", ("table",)
    ),
    "waymark_loader_lag_records": Spec(
        "gauge",
        "Log records whose events are not in storage yet.",
        "Growing: storage is slow or the disk full; nothing is lost meanwhile.",
    ),
    "waymark_loader_outbox_rows": Spec(
        "gauge",
        "Rows emitted but not in storage yet.",
        "Growing: storage is slow or the disk full; nothing is lost meanwhile.",
    ),
    "waymark_loader_insert_seconds": Spec(
        "histogram", "Time of one insert into storage.", "Above a second: the disk.", (), FAST
    ),
    "waymark_query_seconds": Spec(
        "histogram",
        "Time of one read from storage, by endpoint.",
        "Slow: shorten the range or leave out a dimension; unsealed history is read raw.",
        ("endpoint",),
        FAST,
    ),
    "waymark_stream_behind": Spec(
        "gauge",
        "1 while the log is more than 10 s behind the clock, so that abandonments wait.",
        "See /v1/health/pipeline; where nothing lags there, clocks of hosts differ.",
    ),
    "waymark_stream_clients": Spec(
        "gauge", "Clients that follow the signal stream now.", "None while one should: its token."
    ),
    "waymark_stream_cut_total": Spec(
        "counter",
        "Clients of the signal stream cut off: they read too slowly, or too much is held back.",
        "They resume and lose nothing. With waymark_stream_behind 0, find out why they are slow.",
    ),
}


class Metrics:
    """All listed metrics in a registry of their own, so that two apps in a process do not mix."""

    def __init__(self) -> None:
        """Register every metric of the list, gauges once they have a value."""
        self.registry = CollectorRegistry()
        self._unset: dict[Name, Gauge] = {}
        self._by_name = {name: self._make(name, spec) for name, spec in SPECS.items()}
        self._feeds: list[Callable[[], None]] = []
        self._labelled: dict[tuple[object, ...], Counter | Gauge | Histogram] = {}

    def _make(self, name: Name, spec: Spec) -> Counter | Gauge | Histogram:
        if spec.kind == "counter":
            return Counter(name, spec.meaning, spec.labels, registry=self.registry)
        if spec.kind == "gauge":
            gauge = Gauge(name, spec.meaning, spec.labels, registry=None)
            self._unset[name] = gauge
            return gauge
        buckets = spec.buckets or Histogram.DEFAULT_BUCKETS
        return Histogram(name, spec.meaning, spec.labels, registry=self.registry, buckets=buckets)

    def _of(self, name: Name, labels: dict[str, str]) -> Counter | Gauge | Histogram:
        """Return the metric with its labels set, the same object each time: hot paths ask often."""
        if not labels:
            return self._by_name[name]
        key = (name, *labels.items())
        found = self._labelled.get(key)
        if found is None:
            found = self._labelled[key] = self._by_name[name].labels(**labels)
        return found

    def count(self, name: Name, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        child = self._of(name, labels)
        if not isinstance(child, Counter):
            raise TypeError(f"{name} is a {SPECS[name].kind}, not a counter")
        child.inc(amount)

    def set(self, name: Name, value: float, **labels: str) -> None:
        """Set a gauge."""
        metric = self._of(name, labels)
        if not isinstance(metric, Gauge):
            raise TypeError(f"{name} is a {SPECS[name].kind}, not a gauge")
        metric.set(value)
        self._show(name)

    def drop(self, name: Name, **labels: str) -> None:
        """Show a metric with these labels no more: what they name is gone."""
        if self._labelled.pop((name, *labels.items()), None) is not None:
            self._by_name[name].remove(*(labels[key] for key in SPECS[name].labels))

    def follow(self, name: Name, read: Callable[[], float]) -> None:
        """Have a gauge read where it is known, each time the metrics are asked for."""
        metric = self._by_name[name]
        if not isinstance(metric, Gauge):
            raise TypeError(f"{name} is a {SPECS[name].kind}, not a gauge")
        metric.set_function(read)
        self._show(name)

    def _show(self, name: Name) -> None:
        """Expose a gauge from its first value on: 0 would be a claim of a part that has none."""
        gauge = self._unset.pop(name, None)
        if gauge is not None:
            self.registry.register(gauge)

    def observe(self, name: Name, seconds: float, **labels: str) -> None:
        """Add one observation to a histogram."""
        child = self._of(name, labels)
        if not isinstance(child, Histogram):
            raise TypeError(f"{name} is a {SPECS[name].kind}, not a histogram")
        child.observe(seconds)

    def feed(self, tell: Callable[[], None]) -> None:
        """Have counts that are kept elsewhere told each time before the metrics are exposed."""
        self._feeds.append(tell)

    def expose(self) -> bytes:
        """Return all of them in the Prometheus text format."""
        for tell in self._feeds:
            tell()
        return generate_latest(self.registry)


def as_markdown() -> str:
    """Return the list as the page ``docs/metrics.md``."""
    lines = ["# Metrics of Waymark itself", "", "Generated from `services/common/metrics.py`.", ""]
    lines += ["| metric | kind | labels | meaning | what to do |", "|---|---|---|---|---|"]
    for name, spec in SPECS.items():
        labels = ", ".join(f"`{label}`" for label in spec.labels) or "—"
        lines.append(f"| `{name}` | {spec.kind} | {labels} | {spec.meaning} | {spec.do} |")
    return "\n".join(lines) + "\n"
