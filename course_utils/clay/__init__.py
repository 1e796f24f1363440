"""The clay world: scenes as data, rendered with exact truth."""

from .reading import from_words
from .render import render
from .sample import sample
from .scenes import Camera, Hand, Light, Pose, Scene, Thing, Wear
from .view import Render


def scene(seed: int = 0, index: int = 0, words: str | None = None) -> Scene:
    """Give a scene: number ``index`` of the world ``seed``, or the one that ``words`` speak of.

    Args:
        seed, index: the same numbers give the same scene for ever.
        words: for example "a red clock and a blue bench on the beach"; the seed decides the rest.

    Returns:
        A scene, plain data; ``render`` draws it.

    Raises:
        ValueError: if the words name nothing that the clay world knows.

    Example:
        >>> scene(words="a lion with a crown in the garden").things[0].wears[0].word
        'crown'
    """
    return sample(seed, index) if words is None else from_words(words, seed)


__all__ = ["Camera", "Hand", "Light", "Pose", "Render", "Scene", "Thing", "Wear", "render", "sample", "scene"]
