"""Brings events and rows into ClickHouse, harmless to repeat."""
