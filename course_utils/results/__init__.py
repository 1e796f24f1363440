"""The tables that take minutes: made once by `make results`, drawn by the lessons, refused when they are stale.

A table is a list of raw rows with the settings, the hashes of the weights and the versions that made it, under
`assets/results/`. A lesson reads it with `read(name)`, draws it, and reruns a small sample live.
"""

from . import counting
from .matching import Crossed, crossed
from .rows import FOLDER, Result, read
