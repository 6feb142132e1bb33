"""The parts of Waymark, each a thin shell around a pure core; docs/architecture.md has the picture."""
