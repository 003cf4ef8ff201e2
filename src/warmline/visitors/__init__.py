"""Visitors: anonymous people in a browser and the key that ties a browser to its conversations."""
