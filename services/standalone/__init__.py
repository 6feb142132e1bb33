"""All parts in one process on one folder."""
