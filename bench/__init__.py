"""Measures Warmline beside the floor of the machine it runs on: ``python -m bench --help``."""
