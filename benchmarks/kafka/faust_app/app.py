"""The visitor-session state as a Faust app is usually written: see README.md."""

import faust
from faust.types import StreamT
from mode import Worker

from benchmarks.kafka.visit import GAP_MS, STAGES, Marks, arguments


class Event(faust.Record, serializer="json"):
    """What happened."""

    event_id: str
    source: str
    visitor_id: str
    type: str
    ts_ms: int
    url: str
    page_kind: str


class Visit(faust.Record, serializer="json"):
    """Where a visitor stands."""

    sessions: int = 0
    last: int = -GAP_MS * 2
    start: int = 0
    events: int = 0
    pages: int = 0
    stage: int = 0

    def take(self, event: Event) -> None:
        """Apply one event, as ``visit.fold`` does."""
        if event.ts_ms - self.last > GAP_MS:
            self.sessions += 1
            self.start = event.ts_ms
            self.events = self.pages = self.stage = 0
        self.last = max(self.last, event.ts_ms)
        self.events += 1
        self.pages += event.type == "page_view"
        self.stage = max(self.stage, STAGES.get(event.type, 0))


def create() -> faust.App:
    """Build the app."""
    asked = arguments()
    marks = Marks(asked.warm)
    app = faust.App(
        f"faust-{asked.topic}",
        broker=f"kafka://{asked.bootstrap}",
        datadir=asked.data,
        web_enabled=False,
        topic_disable_leader=True,
        topic_partitions=int(asked.variant),
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        producer_linger=0.02,  # its default, 0, sends every table write by itself
    )
    topic = app.topic(asked.topic, key_type=str, value_type=Event)
    visits = app.Table("visits", default=Visit)

    @app.agent(topic)
    async def follow(stream: StreamT[Event]) -> None:
        async for key, event in stream.items():
            visit = visits[key]
            visit.take(event)
            visits[key] = visit
            marks.count({"events": visit.events})
            if marks.events == asked.events:
                await app.producer.flush()
                marks.tell()

    return app


if __name__ == "__main__":
    Worker(create(), loglevel="warning", redirect_stdouts=False).execute_from_commandline()
