"""The tests of Warmline; what they may ask for is told in conftest.py."""
