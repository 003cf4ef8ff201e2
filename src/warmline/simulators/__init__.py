"""Fake vendors: real HTTP servers that behave as documented, for tests and the demo."""
