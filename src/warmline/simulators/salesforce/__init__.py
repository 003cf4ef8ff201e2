"""A simulated Salesforce with Enhanced Chat; ``simulator.py`` says what is there and what is not."""

from warmline.simulators.salesforce.assumptions import Assumptions
from warmline.simulators.salesforce.simulator import SalesforceSimulator

__all__ = ["Assumptions", "SalesforceSimulator"]
