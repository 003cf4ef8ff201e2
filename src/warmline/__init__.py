"""Warmline: a conversation handover server."""

__version__ = "0.1.0"
