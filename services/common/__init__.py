"""What the parts share: ports, errors, settings, logging, metric names."""
