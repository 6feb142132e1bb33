"""Quix Streams keeping the small visitor-session state."""

from quixstreams import Application
from quixstreams.state import State
from visit import Marks, arguments, fold


def main() -> None:
    """Run until every event has been taken and committed."""
    asked = arguments()
    marks = Marks(asked.warm)

    def update(event: dict, state: State) -> None:
        visit = fold(state.get("visit"), event)
        state.set("visit", visit)
        marks.count(visit)

    app = Application(
        broker_address=asked.bootstrap,
        consumer_group=f"quix-{asked.topic}",
        auto_offset_reset="earliest",
        state_dir=asked.data,
        loglevel="WARNING",
        consumer_extra_config={"fetch.queue.backoff.ms": 5},
        processing_guarantee="exactly-once" if asked.variant == "exactly-once" else "at-least-once",
    )
    topic = app.topic(asked.topic, value_deserializer="json", key_deserializer="str")
    app.dataframe(topic).update(update, stateful=True)
    app.run(count=asked.events)
    marks.tell()


if __name__ == "__main__":
    main()
