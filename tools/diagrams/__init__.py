"""Draws the lessons' diagrams into assets/diagrams: `python -m tools.diagrams`, then `python -m tools.assets`."""
