"""Panels: a lesson's knobs inside the notebook. They call the rooms below and add no method of their own.

`text2img_panel(pipe, runtime)` is an ordinary widget: the last line of a cell shows it, and `panel.picture()` is for
readers on the web, where widgets show nothing.
"""

from .browser import Pad
from .controlnet import ControlSettings, controlnet_panel, multi_controlnet_panel
from .exciter import ExciterPanel, ExciterSettings, exciter_panel
from .explorer import Explorer, explorer_panel
from .img2img import Depth2ImgSettings, Img2ImgSettings, depth2img_panel, img2img_panel
from .lora import LoraPanel, LoraSettings, lora_panel
from .panel import Panel, text2img_panel
from .pictures import PictureSource
from .record import Settings, from_png
from .units import Unit

__all__ = [
    "ControlSettings",
    "Depth2ImgSettings",
    "Explorer",
    "ExciterPanel",
    "ExciterSettings",
    "Img2ImgSettings",
    "LoraPanel",
    "LoraSettings",
    "Pad",
    "Panel",
    "PictureSource",
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
