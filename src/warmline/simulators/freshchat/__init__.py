"""A simulated Freshchat; ``simulator.py`` says what is there and what is not."""

from warmline.simulators.freshchat.assumptions import Assumptions
from warmline.simulators.freshchat.simulator import FreshchatSimulator

__all__ = ["Assumptions", "FreshchatSimulator"]
