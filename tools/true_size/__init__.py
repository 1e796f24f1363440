"""Stable Diffusion 1.5 at its true size with random weights: what each lesson asks of a card, run or counted."""
