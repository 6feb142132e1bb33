"""Answers questions about journeys over HTTP, and serves the page."""
