"""ClickHouse's HTTP interface over the embedded engine, to try the distributed parts out."""
