"""Helpers of the course on controlling Stable Diffusion: importing this loads no model library."""

from . import env

# The one place: the package, the badges and the setup cells (tag v...) read it; CHANGELOG.md begins with it.
__version__ = "0.2.0"

env.settle_numba()
