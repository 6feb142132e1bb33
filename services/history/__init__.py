"""History: files into storage, and rows recomputed from stored events by the same fold."""
