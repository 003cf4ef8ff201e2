"""A simulated Salesforce Live Agent, the retired chat; ``simulator.py`` says what is there and what is not."""

from warmline.simulators.salesforce_legacy.assumptions import Assumptions
from warmline.simulators.salesforce_legacy.simulator import SalesforceLegacySimulator

__all__ = ["Assumptions", "SalesforceLegacySimulator"]
