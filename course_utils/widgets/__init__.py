"""Panels: a lesson's knobs inside the notebook. They call the rooms below and add no method of their own.

`text2img_panel(pipe, room)` is an ordinary widget: the last line of a cell shows it, and `panel.picture()`
draws it for readers on the web, where widgets show nothing.
"""

from .controlnet import ControlSettings, controlnet_panel, multi_controlnet_panel
from .depth2img import Depth2ImgSettings, depth2img_panel
from .exciter import ExciterPanel, ExciterSettings, exciter_panel
from .explorer import Explorer, explorer_panel
from .given import Given
from .img2img import Img2ImgSettings, img2img_panel
from .lora import LoraPanel, lora_panel
from .lora_weights import LoraSettings
from .pad import Pad
from .panel import Panel
from .record import Settings, from_png
from .text2img import text2img_panel
from .units import Unit

__all__ = [
    "ControlSettings",
    "Depth2ImgSettings",
    "Explorer",
    "ExciterPanel",
    "ExciterSettings",
    "Given",
    "Img2ImgSettings",
    "LoraPanel",
    "LoraSettings",
    "Pad",
    "Panel",
    "Settings",
    "Unit",
    "controlnet_panel",
    "depth2img_panel",
    "explorer_panel",
    "exciter_panel",
    "from_png",
    "img2img_panel",
    "lora_panel",
    "multi_controlnet_panel",
    "text2img_panel",
]
