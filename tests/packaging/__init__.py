"""Packages of the agent, and the interpreters that it runs under."""

from __future__ import annotations

from pathlib import Path

TOP = Path(__file__).parents[2]
