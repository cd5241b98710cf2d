"""The HTTP side: directory, API, health and metrics."""
