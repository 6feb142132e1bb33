"""``make run-distributed``: every part as a process of its own, on one machine."""
