"""A simulated Gorgias; ``simulator.py`` says what is there and what is not."""

from warmline.simulators.gorgias.assumptions import Assumptions
from warmline.simulators.gorgias.simulator import GorgiasSimulator

__all__ = ["Assumptions", "GorgiasSimulator"]
