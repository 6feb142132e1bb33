"""A simulated shop, so that a first look has life: seeded, and sent through the HTTP API."""
