"""The standalone product: the same cores in one process, on SQLite and embedded ClickHouse."""
