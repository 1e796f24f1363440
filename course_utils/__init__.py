"""Helpers of the course on controlling Stable Diffusion: importing this loads no model library."""

from . import env

__version__ = "0.1.0"

env.settle_caches()
