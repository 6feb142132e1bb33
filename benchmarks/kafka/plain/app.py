"""A plain confluent-kafka consumer with orjson and a dict: nothing durable, what reading costs."""

import orjson
from confluent_kafka import Consumer
from visit import Marks, Visit, arguments, fold


def main() -> None:
    """Run until every event has been taken."""
    asked = arguments()
    marks = Marks(asked.warm)
    visits: dict[bytes, Visit] = {}
    consumer = Consumer(
        {
            "bootstrap.servers": asked.bootstrap,
            "group.id": f"plain-{asked.topic}",
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 5,
        }
    )
    consumer.subscribe([asked.topic])
    while marks.events < asked.events:
        for record in consumer.consume(1000, 0.5):
            key = record.key()
            visit = visits[key] = fold(visits.get(key), orjson.loads(record.value()))
            marks.count(visit)
    marks.tell()
    consumer.close()


if __name__ == "__main__":
    main()
