"""File formats of shop history: each turns lines into items of the ingest API's input form."""
