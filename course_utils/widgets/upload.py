"""The button that takes a picture from the learner's computer.

ipywidgets has one, but its value differs between versions 7 and 8, and it sends a photograph whole: that costs the
connection on Colab over about 1 MB. This one is the same everywhere and reduces large pictures in the browser.
"""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

LONGEST = 1536  # pixels of a large picture's longer side: no lane makes larger ones


class Upload(anywidget.AnyWidget):
    """A button; `data` changes when a file has come, `problem` when one could not be read in the browser."""

    _esm = Path(__file__).with_name("upload.js")

    data = traitlets.CBytes().tag(sync=True, echo_update=False)
    name = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
    longest = traitlets.Int(LONGEST).tag(sync=True)
