"""Pictures and figures of the lessons: sheets of pictures, heat laid over a picture, curves, bars, diagrams.

Everything returns what it drew, a PIL picture or a matplotlib Figure, and changes no setting of matplotlib;
`described` shows either together with a text for readers who cannot see it.
Sizes are (height, width): pixels of pictures, inches of figures.
"""

from .figures import bars, curve, matrix
from .pictures import Described, Diagram, Picture, as_picture, described, diagram, overlay
from .sheets import compare, grid, strip, sweep
