"""Measurements of a real server by real connections: `python -m bench --help`."""
