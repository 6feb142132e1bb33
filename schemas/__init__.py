"""The canonical event and the rows made of it: pure types and rules of form."""
