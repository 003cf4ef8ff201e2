"""A simulated Sunshine Conversations; ``simulator.py`` says what is there and what is not."""

from warmline.simulators.sunco.assumptions import Assumptions
from warmline.simulators.sunco.simulator import SuncoSimulator

__all__ = ["Assumptions", "SuncoSimulator"]
