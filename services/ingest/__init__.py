"""Takes events from storefronts over HTTP and makes them durable in the log."""
