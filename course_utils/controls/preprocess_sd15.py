"""The sd15 lane's preprocessors, as the ControlNets' cards name them: picture in, PIL RGB, map of its size out.

M-LSD, HED, OpenPose and NormalBae come from controlnet_aux, which is no longer maintained: it is imported when first
needed, its import's dozen warnings silenced, and reads pickles whose SHA-256 was checked. Classes and depth come from
transformers.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from types import ModuleType

import numpy as np
from PIL import Image

from .. import catalog
from ..clay.control_maps import draw_depth, draw_pose
from . import annotators
from .ade20k import COLOURS
from .edges import resize_lines

SIDE = 512  # pixels of the shorter side that the detectors were made for
STEP = 64  # sides that they take are multiples of it
MISSING = (
    "control={!r} on the sd15 lane needs controlnet_aux: `pip install controlnet-aux==0.0.10 einops timm`, then "
    "restart the kernel. Never install mediapipe beside it. lane='clay' needs none of it."
)


def mlsd(picture: Image.Image, thr_v: float = 0.1, thr_d: float = 0.1) -> Image.Image:
    """Draw the straight lines that M-LSD finds (Gu et al., 2022): as sure as `thr_v`, and longer than `thr_d`."""
    detector = _detector("mlsd", "MLSDdetector", "mlsd_large_512_fp32.pth")
    return resize_lines(_seen(detector, picture, thr_v=thr_v, thr_d=thr_d), picture.size)


def scribble(picture: Image.Image) -> Image.Image:
    """Draw HED's soft edges (Xie and Tu, 2015), thinned and thickened again as by hand."""
    detector = _detector("scribble", "HEDdetector", "ControlNetHED.pth")
    return resize_lines(_seen(detector, picture, scribble=True), picture.size)


def normal(picture: Image.Image) -> Image.Image:
    """Draw the normals that NormalBae sees (Bae et al., 2021)."""
    drawn = _seen(_detector("normal", "NormalBaeDetector", "scannet.pt"), picture)
    return drawn.resize(picture.size, Image.Resampling.BILINEAR)


def joints(picture: Image.Image) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """List the bodies [18, 3] and hands [21, 3] that OpenPose sees (Cao et al., 2019): column, row (pixels), seen."""
    detector = annotators.kept("openpose sd15", _openpose)
    people = detector.detect_poses(np.asarray(_fitted(picture)), include_hand=True)
    bodies = [_points(person.body.keypoints, picture) for person in people]
    hands = [_points(hand, picture) for person in people for hand in (person.left_hand, person.right_hand) if hand]
    return bodies, hands


def openpose(picture: Image.Image) -> Image.Image:
    """Draw the joints of bodies and hands that OpenPose sees; faces are left out."""
    return draw_pose(*joints(picture), picture.height, picture.width)


def seg(picture: Image.Image) -> Image.Image:
    """Draw the classes of ADE20K that UperNet sees (Xiao et al., 2018)."""
    import torch

    network, processor = annotators.kept("seg sd15", _upernet)
    with torch.inference_mode():
        segmented = network(**processor(images=picture, return_tensors="pt").to(annotators.device()))
    classes = processor.post_process_semantic_segmentation(segmented, target_sizes=[picture.size[::-1]])[0]
    return Image.fromarray(COLOURS[classes.cpu().numpy()])


def depth(picture: Image.Image) -> Image.Image:
    """Draw the depth that Depth Anything V2 sees (Yang et al., 2024)."""
    return draw_depth(annotators.nearness(picture, "sd15"))


def _detector(control: str, name: str, weights: str):
    """Return a detector of controlnet_aux that reads one file of weights."""

    def load():
        cls = getattr(_controlnet_aux(control), name)  # first: without it nothing need be downloaded
        folder = str(_annotators(weights))
        with contextlib.redirect_stdout(io.StringIO()):  # NormalBae tells how it is put together
            return cls.from_pretrained(folder, filename=weights).to(annotators.device())

    return annotators.kept(f"{control} sd15", load)


def _openpose():
    """Build the detector of bodies and hands; `from_pretrained` would want the network for faces too."""
    package = _controlnet_aux("openpose")
    body, hand = "body_pose_model.pth", "hand_pose_model.pth"
    folder = _annotators(body, hand)
    parts = package.open_pose.Body(str(folder / body)), package.open_pose.Hand(str(folder / hand))
    for part in parts:
        part.to(annotators.device())
    return package.OpenposeDetector(*parts)


def _annotators(*names: str):
    return catalog.fetch_pickles(catalog.checkpoint("annotators", "sd15"), *names)


def _upernet():
    entry = catalog.checkpoint("segmenter", "sd15")
    folder = catalog.fetch_pickles(entry, *(pickle.name for pickle in entry.pickles))
    return annotators.pair("SemanticSegmentation", folder, folder, use_safetensors=False)


def _controlnet_aux(control: str) -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import controlnet_aux
    except ImportError as error:
        raise ImportError(MISSING.format(control)) from error
    return controlnet_aux


def _seen(detector, picture: Image.Image, **how) -> Image.Image:
    """Run a detector on a picture of the size that it would make of it anyway."""
    fitted = _fitted(picture)
    side = min(fitted.size)
    return detector(fitted, detect_resolution=side, image_resolution=side, output_type="pil", **how)


def _fitted(picture: Image.Image) -> Image.Image:
    """Bring the shorter side to `SIDE` and both to multiples of `STEP`."""
    scale = SIDE / min(picture.size)
    size = [max(STEP, round(side * scale / STEP) * STEP) for side in picture.size]
    return picture.resize(size, Image.Resampling.LANCZOS)


def _points(found, picture: Image.Image) -> np.ndarray:
    """Turn OpenPose's points, 0-1 or missing, into [point, 3]: column, row (pixels), visible."""
    points = np.zeros((len(found), 3), np.float32)
    for row, point in zip(points, found, strict=True):
        if point is not None and point.x > 0 and point.y > 0:
            row[:] = point.x * picture.width, point.y * picture.height, 1
    return points
