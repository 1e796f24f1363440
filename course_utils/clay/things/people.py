"""Clay people: man and woman, posed bone by bone, with everything OpenPose looks for."""

from __future__ import annotations

import numpy as np

from ..scenes import HEAD_SIZE, Hand, Pose, Thing
from ..shapes import Modeller, lowest
from .anatomy import Anatomy, Head
from .hands import finger_hand
from .looks import Look
from .poses import BONES, REST, place_joints, random_pose, tilt, unit, walk_pose

__all__ = ["BONES", "OPENPOSE_18", "REST", "man", "random_pose", "walk_pose", "woman"]

OPENPOSE_18 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
FACE = {
    "nose": (0.0, -0.02, 0.20), "left_eye": (0.068, 0.022, 0.165), "right_eye": (-0.068, 0.022, 0.165),
    "left_ear": (0.172, -0.01, 0.0), "right_ear": (-0.172, -0.01, 0.0),
}  # fmt: skip
RISE = 0.18  # metres that a head twice as large lies higher, so that the chin stays above the shoulders
HAND_LENGTH = 0.30  # of a hand with fingers, metres
SHOE = (0.075, 0.055, 0.125)  # half sizes, metres
SIDES = (("left", 1), ("right", -1))


def man(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Man, 1.75 m: short hair, broad shoulders, shirt, trousers."""
    look = Look.draw(m, paint, rng)

    def dress(m, at):
        _trunk(m, look, at, 0.150, 0.135)
        m.part(0.0)
        m.torus(look.top * 0.72 + 0.03, at["neck"] + (0, 0.035, 0), 0.085, 0.034, tilt(at["head"] - at["neck"]))
        _legs(m, at, look.legs, look.legs, 0.098)

    return _person(m, look, thing, dress, _man_head, sleeve=1.0)


def woman(m: Modeller, paint: np.ndarray, rng: np.random.Generator, thing: Thing) -> Anatomy:
    """Woman, 1.75 m: long hair or a bob, a dress with a flaring skirt."""
    look = Look.draw(m, paint, rng)

    def dress(m, at):
        _trunk(m, look, at, 0.115, 0.118)
        _legs(m, at, look.top, look.skin, 0.075)
        _skirt(m, look, at)

    return _person(m, look, thing, dress, _woman_head, sleeve=0.0)


def _person(m: Modeller, look: Look, thing: Thing, dress, head, sleeve: float) -> Anatomy:
    """Put the parts together on the posed bones, what is lowest on y = 0."""
    pose = thing.pose or Pose()
    at = place_joints(pose)
    size = thing.head_size or HEAD_SIZE[m.edition]
    if m.edition == 1:
        low = min(_sole(at[f"{side}_ankle"], _foot(at, side, 1)) for side, _ in SIDES)
    else:
        trial = Modeller(edition=m.edition)
        _body(trial, look, pose, at, size, dress, head, sleeve)
        low = lowest(np.array(trial.rows))
    with m.frame((0, -low, 0)):
        return _body(m, look, pose, at, size, dress, head, sleeve)


def _body(m: Modeller, look: Look, pose: Pose, at: dict, size: float, dress, head, sleeve: float) -> Anatomy:
    """Sculpt a person around the joints ``at``; the head is ``size`` times as large as the first edition's."""
    hands, palm = {}, 1 + (size - 1) / 2  # hands grow half as much as the head
    dress(m, at)
    for side, _ in SIDES:
        with m.frame(at[f"{side}_ankle"], _foot(at, side, m.edition)):
            m.part(0.0)
            m.ellipsoid(look.shoes, (0, -0.03, 0.045), SHOE)
        held = pose.left if side == "left" else pose.right
        hands |= _arm(m, look, at, side, held, sleeve, palm)
    m.part(0.03)
    m.capsule(look.skin, at["neck"] + (0, -0.02, 0), at["head"] - (0, 0.08, 0), 0.07)
    turn = tilt(at["head"] - at["neck"])
    with m.frame(at["head"] + RISE * (size - 1) * turn[:, 1], turn, size):
        worn = head(m, look)
        face = {name: m.world(p) for name, p in FACE.items()}
    body = {name: face[name] if name in face else m.world(at[name]) for name in OPENPOSE_18}
    return Anatomy(worn, body, hands)


def _foot(at: dict, side: str, edition: int) -> np.ndarray:
    """Turn a shoe [3, 3]: half with the shin, half flat; a shin that lies down has its foot stretched or hanging."""
    shin = unit(at[f"{side}_knee"] - at[f"{side}_ankle"])
    if edition == 1 or shin[1] > 0.6:
        return tilt(0.5 * shin + (0, 0.5, 0))
    across, _, ahead = tilt(shin).T  # ahead: at right angles to the shin, where the toes of a bent foot point
    sign = 1 if ahead[1] > 0 else -1
    most = abs(ahead[1]) * (0.5 if sign > 0 else 1.4)  # radians that a foot is stretched so that its toes lie flat
    angle = min(np.arctan2(abs(ahead[1]), sign * shin[1]), most)
    turned = np.cos(angle) * shin + np.sin(angle) * ahead
    return np.stack([across, turned, np.cos(angle) * ahead - np.sin(angle) * shin], axis=1)


def _sole(ankle: np.ndarray, turn: np.ndarray) -> float:
    """Find the height of the lowest point of a shoe, an ellipsoid turned by ``turn``."""
    return ankle[1] + turn[1] @ (0, -0.03, 0.045) - np.linalg.norm(turn[1] * SHOE)


def _trunk(m: Modeller, look: Look, at: dict, waist: float, chest: float) -> None:
    up = at["neck"] - at["hip"]
    low, high = at["hip"] + 0.05 * up, at["hip"] + 0.72 * up
    m.part(0.07)
    m.capsule(look.top, low, high, waist * look.build, chest * look.build)
    m.capsule(look.top, at["left_shoulder"], at["right_shoulder"], 0.085)
    for side, _ in SIDES:
        m.capsule(look.top, high * 0.6 + at[f"{side}_shoulder"] * 0.4, low + (at[f"{side}_hip"] - at["hip"]) * 0.5,
                  chest * 0.9, waist * 0.8)  # fmt: skip


def _legs(m: Modeller, at: dict, upper, lower, radius: float) -> None:
    """Add the legs; ``upper`` paints them down to mid-thigh, ``lower`` the rest."""
    for side, _ in SIDES:
        hip, knee, ankle = (at[f"{side}_{j}"] for j in ("hip", "knee", "ankle"))
        m.part(0.03)
        m.capsule(upper, hip, (hip + knee) / 2, radius, radius * 0.92)
        m.capsule(lower, (hip + knee) / 2, knee, radius * 0.92, radius * 0.85)
        m.capsule(lower, knee, ankle, radius * 0.85, radius * 0.75)


def _skirt(m: Modeller, look: Look, at: dict) -> None:
    """Hang a cone from the waist over the knees, wide enough to hide them however far apart."""
    knees = (at["left_knee"] + at["right_knee"]) / 2
    apart = np.linalg.norm(at["left_knee"] - at["right_knee"]) / 2
    top = at["hip"] + 0.24 * (at["neck"] - at["hip"])
    down = unit(knees - top)
    if m.edition > 1 and (knees - at["hip"])[1] > -0.26:
        return _lap(m, look, at)
    half, wide = 0.25, max(0.28, apart + 0.12) * look.build
    m.part(0.03)
    m.cone(look.top, top + down * half, half, wide, 0.12, 0.03, tilt(-down))


def _lap(m: Modeller, look: Look, at: dict) -> None:
    """Lay the skirt of one who sits, crouches or kneels over the thighs."""
    m.part(0.08)
    m.capsule(look.top, at["hip"] + 0.2 * (at["neck"] - at["hip"]), at["hip"] + (0, 0.01, 0), 0.12, 0.135)
    hips, knees = ([at[f"{side}_{joint}"] for side, _ in SIDES] for joint in ("hip", "knee"))
    ends = [hip + (knee - hip) * 0.88 for hip, knee in zip(hips, knees, strict=True)]
    for hip, end in zip(hips, ends, strict=True):
        m.capsule(look.top, hip, end, 0.105, 0.118)
    ahead = (ends[0] + ends[1] - hips[0] - hips[1]) / 2
    if np.linalg.norm(ahead) > 0.15 and unit(ends[0] - hips[0]) @ unit(ends[1] - hips[1]) > -0.2:
        wide, long = np.linalg.norm(ends[0] - ends[1]) / 2 + 0.09, np.linalg.norm(ahead) / 2 + 0.11
        across = unit(hips[0] - hips[1] - unit(ahead) * ((hips[0] - hips[1]) @ unit(ahead)))
        turn = np.stack([across, unit(ahead), np.cross(across, unit(ahead))], axis=1)
        m.ellipsoid(look.top, (hips[0] + hips[1] + ahead) / 2, (wide, long, 0.115), turn)


def _arm(m: Modeller, look: Look, at: dict, side: str, held: Hand | None, sleeve: float, palm: float) -> dict:
    """Sculpt an arm and its hand; give the hand's points when it has fingers."""
    shoulder, elbow, wrist = (at[f"{side}_{j}"] for j in ("shoulder", "elbow", "wrist"))
    m.part(0.03)
    m.capsule(look.top, shoulder, shoulder + (elbow - shoulder) * (0.55 + 0.45 * sleeve), 0.088, 0.075)
    if sleeve:
        m.capsule(look.top, elbow, elbow + (wrist - elbow) * 0.82, 0.075, 0.07)
    m.part(0.02)
    m.capsule(look.skin, elbow if sleeve else shoulder * 0.5 + elbow * 0.5, elbow, 0.058)
    m.capsule(look.skin, elbow, wrist, 0.058, 0.05)
    with m.frame(wrist, scale=palm):
        if held is not None:
            return {side: finger_hand(m, held, side, look.skin, HAND_LENGTH)}
        _mitten(m, look.skin, unit(wrist - elbow), dict(SIDES)[side])
    return {}


def _mitten(m: Modeller, skin: np.ndarray, along: np.ndarray, mirror: int) -> None:
    """Add a mitten at the origin that goes on ``along`` the forearm, its thumb forward and inward."""
    thumb = np.array((-0.4 * mirror, 0.5, 1.0))
    thumb = unit(thumb - along * (thumb @ along))
    turn = np.stack([np.cross(along, thumb), along, thumb], axis=1)
    m.part(0.03)
    m.ellipsoid(skin, along * 0.075, (0.05, 0.095, 0.07), turn)
    m.capsule(skin, along * 0.04 + thumb * 0.04, along * 0.09 + thumb * 0.10, 0.032, 0.028)


def _face(m: Modeller, look: Look, brow: float) -> None:
    """Add eyes, eyebrows and nose; ``brow`` is how thick the eyebrows are."""
    wide = 1.0 if m.edition == 1 else 1.16
    for side in (-1, 1):
        m.part(0.0)
        m.ellipsoid(look.white, (side * 0.068, 0.022, 0.143), (0.042 * wide, 0.045 * wide, 0.026))
        m.part(0.0)
        m.ellipsoid((0.02, 0.02, 0.02), (side * 0.066, 0.020, 0.162), (0.027 * wide, 0.031 * wide, 0.016))
        m.part(0.0)
        m.capsule(look.hair * 0.8, (side * 0.038, 0.098, 0.150), (side * 0.098, 0.088, 0.130), brow, brow * 0.8)
    m.part(0.0)
    m.ellipsoid(look.skin * 0.93, (0, -0.022, 0.17), (0.030, 0.034, 0.036))


def _man_head(m: Modeller, look: Look) -> Head:
    m.part(0.05)
    m.ellipsoid(look.skin, (0, 0.0, 0), (0.168, 0.185, 0.165))
    m.box(look.skin, (0, -0.09, 0.02), (0.115, 0.085, 0.11), 0.07)
    for side in (-1, 1):
        m.ellipsoid(look.skin, (side * 0.172, -0.01, 0.0), (0.035, 0.05, 0.03))
    m.part(0.03)
    m.ellipsoid(look.hair, (0, 0.055, -0.035), (0.185, 0.155, 0.165))
    if look.cut:
        m.chain(look.hair, [(-0.10, 0.145, 0.085), (0.02, 0.175, 0.10), (0.10, 0.14, 0.08)], (0.045, 0.055, 0.04))
    _face(m, look, 0.018)
    m.part(0.0)
    m.chain(look.lips, [(-0.062, -0.095, 0.132), (0, -0.118, 0.148), (0.062, -0.095, 0.132)], [0.013, 0.018, 0.013])
    return Head.here(
        m, (0, 0, 0), width=0.185, top=0.205, eyes=(0.068, 0.022, 0.17), lip=(-0.062, 0.152), neck=(-0.20, 0.10)
    )


def _woman_head(m: Modeller, look: Look) -> Head:
    m.part(0.05)
    m.ellipsoid(look.skin, (0, 0.01, 0), (0.160, 0.175, 0.160))
    m.ellipsoid(look.skin, (0, -0.085, 0.03), (0.105, 0.095, 0.115))
    long = -0.36 if m.edition == 1 else -0.24
    end = -0.13 if look.cut else long
    m.part(0.05)
    m.ellipsoid(look.hair, (0, 0.06, -0.035), (0.195, 0.16, 0.175))
    m.capsule(look.hair, (0, 0.0, -0.09), (0, end, -0.10), 0.15, 0.12)
    for side in (-1, 1):
        m.capsule(look.hair, (side * 0.155, 0.06, 0.02), (side * 0.175, end, 0.02), 0.062, 0.065)
        m.capsule(look.hair, (side * 0.02, 0.165, 0.095), (side * 0.14, 0.085, 0.085), 0.045, 0.045)
    _face(m, look, 0.012)
    m.part(0.008)
    m.chain(
        (0.75, 0.06, 0.10) if m.edition == 1 else look.lips,
        [(-0.044, -0.092, 0.132), (0, -0.108, 0.142), (0.044, -0.092, 0.132)],
        [0.014, 0.024, 0.014],
    )
    return Head.here(
        m, (0, 0, 0), width=0.21, top=0.215, eyes=(0.068, 0.022, 0.17), lip=(-0.062, 0.155), neck=(-0.20, 0.10)
    )
