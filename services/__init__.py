"""The parts of Waymark, each a thin shell around a pure core (see docs/architecture.md)."""
