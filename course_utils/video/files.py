"""Clips as files: a video or GIF in, a looping GIF and an MP4 out; and how a film shows itself in a notebook."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from ..pictures import encoded

CRF = "18"  # of H.264: 0 is without loss, 51 the worst; at 18 eyes see none


def read_frames(source: str | Path | bytes, most: int, step: Fraction) -> tuple[list[Image.Image], float]:
    """Take frames at equal times: at each moment the one that is on the screen.

    Args:
        source: a path or the bytes of a file.
        most: how many at most; reading ends with the last of them.
        step: seconds between two.

    Returns:
        Pictures as the file holds them, and its length in seconds, 0 where it does not say.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is broken, or holds no pictures.
    """
    shown = f"source={str(source)!r}" if isinstance(source, str | Path) else "source"
    try:
        data = Path(source).read_bytes() if isinstance(source, str | Path) else bytes(source)
    except OSError:
        raise FileNotFoundError(f"{shown} is no file that can be read; give the path of a video or GIF.") from None
    if not data:
        raise ValueError(f"{shown} is empty: 0 bytes; save or upload it again.")
    try:
        moments, length = _pictures(data) if _is_picture(data) else _video(data)
        return _sampled(moments, most, step), length
    except _NoPictures as problem:
        raise ValueError(f"{shown} {problem}; give an MP4, WebM or GIF.") from None
    except Exception as problem:  # the readers raise what they like at damaged files
        raise ValueError(f"{shown} is no video that can be read ({problem}); give an MP4, WebM or GIF.") from None


class _NoPictures(Exception):
    """A file that can be read and shows nothing."""


def _is_picture(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data)):
            return True
    except Exception:
        return False


def _pictures(data: bytes):
    """Yield (seconds, picture) of a GIF, WebP or PNG, transparency kept."""
    image = Image.open(io.BytesIO(data))

    def moments():
        now = 0.0
        for frame in ImageSequence.Iterator(image):
            yield now, frame.convert("RGBA")
            now += max(frame.info.get("duration", 0) or 100, 20) / 1000
        yield now, None

    return moments(), 0.0


def _video(data: bytes):
    """Yield (seconds, picture) of what PyAV reads; sound is passed over."""
    import av

    container = av.open(io.BytesIO(data))
    if not container.streams.video:
        raise _NoPictures("holds sound but no pictures" if container.streams.audio else "holds no pictures")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    length = float(container.duration / av.time_base) if container.duration else 0.0

    def moments():
        first, now, gap = None, 0.0, 0.04
        with container:
            for frame in container.decode(stream):
                time = frame.time if frame.time is not None else now + gap
                first = time if first is None else first
                gap, now = max(time - first - now, 0.001) if time > first else gap, time - first
                yield now, frame.to_image()
        if first is not None:
            yield now + gap, None

    return moments(), length


def _sampled(moments, most: int, step: Fraction) -> list[Image.Image]:
    taken, shown = [], None
    for now, picture in moments:
        while shown is not None and len(taken) < most and len(taken) * step < now - 1e-9:
            taken.append(shown)
        if len(taken) == most:
            return taken
        shown = picture
    if not taken:
        raise _NoPictures("holds no pictures")
    return taken


def to_gif(frames: Sequence[Image.Image], path: str | Path | None = None, fps: float = 8, comment: str = "") -> bytes:
    """Return a looping GIF, one palette for all frames, so that its colours do not flicker; write it to ``path``."""
    frames = _rgb(frames)
    width, height = frames[0].size
    sheet = Image.new("RGB", (width, height * len(frames)))
    for number, frame in enumerate(frames):
        sheet.paste(frame, (0, number * height))
    palette = sheet.quantize(256, Image.Quantize.MEDIANCUT)
    first, *others = (frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    how = {"append_images": others, "duration": round(1000 / fps), "loop": 0, "optimize": False}
    return _written(encoded(first, "GIF", save_all=True, comment=comment.encode(), **how), path)


def to_mp4(frames: Sequence[Image.Image], path: str | Path | None = None, fps: float = 8) -> bytes:
    """Return an MP4 (H.264, yuv420p: what every browser and phone plays); write it to ``path``."""
    import av

    frames = _rgb(frames)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height = (side // 2 * 2 for side in frames[0].size)  # yuv420p wants even sides
        stream.pix_fmt, stream.options = "yuv420p", {"crf": CRF, "preset": "slow", "threads": "1"}
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.asarray(frame)[: stream.height, : stream.width], format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return _written(buffer.getvalue(), path)


class Film:
    """Frames that play in a notebook, over and over, with a text for readers who cannot see them.

    Args:
        frames: PIL pictures of one size.
        alt: what is to be seen.
        fps: frames a second.
        kind: "mp4" (small) or "gif" (plays where nothing else does).
    """

    def __init__(self, frames: Sequence[Image.Image], alt: str, fps: float = 8, kind: str = "mp4") -> None:
        makers = {"mp4": to_mp4, "gif": to_gif}
        if kind not in makers:
            raise ValueError(f"kind={kind!r} is no kind of film; use 'mp4' or 'gif'.")
        self.data, self.alt, self.kind, self.width = makers[kind](frames, fps=fps), alt, kind, frames[0].width

    def _repr_html_(self) -> str:
        alt, data = html.escape(self.alt, quote=True), base64.b64encode(self.data).decode()
        if self.kind == "gif":
            return f'<img src="data:image/gif;base64,{data}" alt="{alt}" width="{self.width}">'
        return (f'<video src="data:video/mp4;base64,{data}" aria-label="{alt}" width="{self.width}" autoplay loop '
                f"muted playsinline controls></video>")  # fmt: skip

    def __repr__(self) -> str:
        return self.alt


def _rgb(frames: Sequence[Image.Image]) -> list[Image.Image]:
    frames = [frame.convert("RGB") for frame in frames]
    if len(frames) < 2 or len({frame.size for frame in frames}) > 1:
        raise ValueError(f"frames has {len(frames)} pictures; a film needs at least two, all of one size.")
    return frames


def _written(data: bytes, path: str | Path | None) -> bytes:
    if path is not None:
        Path(path).write_bytes(data)
    return data
