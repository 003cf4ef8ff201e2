"""A simulated Kustomer; ``simulator.py`` says what is there and what is not."""

from warmline.simulators.kustomer.assumptions import Assumptions
from warmline.simulators.kustomer.simulator import KustomerSimulator

__all__ = ["Assumptions", "KustomerSimulator"]
