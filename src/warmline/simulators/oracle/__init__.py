"""A simulated Oracle B2C Service chat; ``simulator.py`` says what is there and what is not."""

from warmline.simulators.oracle.assumptions import AbuseScreen, Assumptions
from warmline.simulators.oracle.simulator import OracleSimulator

__all__ = ["AbuseScreen", "Assumptions", "OracleSimulator"]
