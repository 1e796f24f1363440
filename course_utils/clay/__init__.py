"""The clay world: scenes as data, rendered with exact truth."""

from .reading import from_words
from .render import render
from .sample import MIXES, sample
from .scenes import EDITIONS, Camera, Hand, Light, Pose, Scene, Thing, Wear
from .view import Render


def scene(seed: int = 0, index: int = 0, words: str | None = None, edition: int = 1) -> Scene:
    """Give a scene: number ``index`` of the world ``seed``, or the one that ``words`` speak of.

    Args:
        seed, index: the same numbers give the same scene for ever.
        words: for example "a red clock and a blue bench on the beach"; the seed decides the rest.
        edition: 1 is the world that the shipped models know; 2 has toys with large heads in every pose.

    Returns:
        A scene, plain data; ``render`` draws it.

    Raises:
        ValueError: if the words name nothing that the clay world knows, or there is no such edition.

    Example:
        >>> scene(words="a lion with a crown in the garden").things[0].wears[0].word
        'crown'
    """
    if edition not in EDITIONS:
        raise ValueError(f"edition={edition!r} is not known; choose one of {', '.join(map(str, EDITIONS))}.")
    return sample(seed, index, MIXES[edition]) if words is None else from_words(words, seed, edition)
