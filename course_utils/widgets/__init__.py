"""Panels: a lesson's knobs inside the notebook. They call the rooms below and add no method of their own.

`text2img_panel(pipe, room)` is an ordinary widget: the last line of a cell shows it, and `panel.picture()`
draws it for readers on the web, where widgets show nothing.
"""

from .panel import Panel
from .record import Settings, from_png
from .text2img import text2img_panel

__all__ = ["Panel", "Settings", "from_png", "text2img_panel"]
