"""The clay world: scenes as data, rendered with exact truth."""

from .render import Render, render
from .sample import sample
from .scene import Camera, Hand, Light, Pose, Scene, Thing, Wear

__all__ = ["Camera", "Hand", "Light", "Pose", "Render", "Scene", "Thing", "Wear", "render", "sample"]
