"""Godwit: live chat that moves house without hanging up."""

__version__ = "0.1.0"
