"""The demo: a shop with the widget, the console, a sample CRM and, when asked for, simulated helpdesks, in one start."""

from warmline.demo.run import run_demo

__all__ = ["run_demo"]
