"""A simulated Dixa; ``simulator.py`` says what is there and what is not."""

from warmline.simulators.dixa.assumptions import Assumptions
from warmline.simulators.dixa.simulator import DixaSimulator

__all__ = ["Assumptions", "DixaSimulator"]
