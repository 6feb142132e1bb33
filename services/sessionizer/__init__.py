"""Keeps each visitor's live stage and emits sessions, carts, orders and signals."""
