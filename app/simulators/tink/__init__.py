"""Tink, simulated: its API, and a page that stands for Tink Link."""

from app.simulators.tink.simulator import TinkSimulator

__all__ = ["TinkSimulator"]
