"""The way from a data folder to Kafka and a ClickHouse server, with nothing lost or doubled."""
