"""Panels: a lesson's knobs inside the notebook. They call the rooms below and add no method of their own.

`text2img_panel(pipe, runtime)` is an ordinary widget: the last line of a cell shows it, and `panel.picture()` is for
readers on the web, where widgets show nothing.
"""

from .browser import Pad
from .controlnet import ControlSettings, controlnet_panel, multi_controlnet_panel
from .doll import Doll
from .doll_panel import DollSettings, doll_panel
from .exciter import ExciterPanel, ExciterSettings, exciter_panel
from .explorer import Explorer, explorer_panel
from .film import ClipSource, FilmPanel, FilmSettings, film_panel
from .img2img import Depth2ImgSettings, Img2ImgSettings, depth2img_panel, img2img_panel
from .lora import LoraPanel, LoraSettings, lora_panel
from .panel import Panel, text2img_panel
from .pictures import PictureSource
from .record import Settings, from_png
from .studio import StudioPanel, studio_panel
from .trainer import TrainerPanel, trainer_panel
from .units import Unit
