"""The doll: people to pose with the mouse, a finger or the keyboard; Python's renderer knows what is true of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from .. import clay, pose
from ..clay.control_maps import LIMBS, RAINBOW
from ..clay.things import hands, people, poses
from .browser import BASE, HERE
from .parts import reason

SIDES = ("left", "right")
LOOKED = 256  # pixels of the smaller side of the render that tells what is seen
# How the doll looks: points of the head, beside those of a face; paints (first figure, second, hair, shoes, dark,
# white); and groups of capsules, [paint, of whom, [from, radius, to, radius], ...], a place between two joints being
# [joint, joint, share].
HEAD = {
    "skull": (0, -0.01, 0), "hair": (0, 0.055, -0.04), "crown": (0, 0.22, 0), "nape": (0, 0, -0.09),
    "lock": (0, -0.2, -0.1), "tip_of_nose": (0, -0.022, 0.17), "left_ball": (0.068, 0.022, 0.14),
    "right_ball": (-0.068, 0.022, 0.14),
}  # fmt: skip
PAINTS = [[222, 184, 150], [196, 142, 128], [112, 84, 66], [96, 104, 116], [58, 52, 50], [245, 243, 238]]


def _flesh() -> list[list[Any]]:
    groups: list[list[Any]] = []
    for word, r in (("man", 0.125), ("woman", 0.105)):
        flanks = [[[f"{s}_shoulder", f"{s}_hip", 0.18], r, [f"{s}_shoulder", f"{s}_hip", 0.9], 0.9 * r] for s in SIDES]
        trunk = [["hip", "neck", 0.05], 1.15 * r, ["hip", "neck", 0.72], 1.08 * r]
        groups.append([0, word, *flanks, ["left_shoulder", 0.08, "right_shoulder", 0.08], trunk])
    groups += [
        [0, "", ["neck", 0.068, ["neck", "skull", 0.6], 0.068]], [0, "", ["skull", 0.172, "skull", 0.172]],
        [1, "", ["hair", 0.172, "hair", 0.172]], [1, "woman", ["nape", 0.14, "lock", 0.1]],
        [0, "", ["tip_of_nose", 0.03, "tip_of_nose", 0.034]],
    ]  # fmt: skip
    for s in SIDES:
        groups += [
            [4, "", [f"{s}_ball", 0.036, f"{s}_ball", 0.036]], [3, "", [f"{s}_eye", 0.019, f"{s}_eye", 0.019]],
            [0, "", [f"{s}_shoulder", 0.082, f"{s}_elbow", 0.066]], [0, "", [f"{s}_elbow", 0.064, f"{s}_wrist", 0.05]],
            [0, "", [f"{s}_hip", 0.098, f"{s}_knee", 0.082]], [0, "", [f"{s}_knee", 0.08, f"{s}_ankle", 0.062]],
            [2, "", [f"{s}_heel", 0.058, f"{s}_toe", 0.05]],
        ]  # fmt: skip
    return groups


def anatomy() -> dict[str, Any]:
    """Return what the front end must know of the clay figure: its bones, its hands, its colours.

    What has an order is a list of pairs: a notebook that is saved sorts the keys of its widgets.
    """
    return {
        "bones": [*poses.BONES.items()], "anchors": poses.ANCHORS, "rest": poses.REST, "parts": [*poses.PARTS.items()],
        "face": {**people.FACE, **HEAD}, "rise": people.RISE, "shoe": people.SHOE, "hand": people.HAND_LENGTH,
        "joints": pose.JOINTS, "limbs": LIMBS,
        "colours": ["#{:02x}{:02x}{:02x}".format(*colour) for colour in RAINBOW],
        "fingers": hands.FINGERS, "phalanges": hands.PHALANGES, "flexion": hands.FLEXION,
        "thumb": {"base": hands.THUMB_BASE, "bones": hands.THUMB_BONES, "radii": hands.THUMB_RADII,
                  "lean": hands.THUMB_LEAN, "fan": hands.THUMB_FAN, "ahead": hands.THUMB_AHEAD,
                  "flat": hands.FLAT_THUMB, "fist": hands.FIST_THUMB},
        "paints": PAINTS, "flesh": _flesh(),
    }  # fmt: skip


class Doll(anywidget.AnyWidget):
    """One or two people to pose. When a joint is let go, `made` is the new clay render with its truth, of `posed`.

    Args:
        people: persons of the doll, see `pose.figure`; or a doll's whole state, see `pose.state_of`.
        height, width: of the picture, pixels.
        place: of the clay world, that the renderer stands it in.

    Raises:
        TypeError, ValueError: a person that is wrong, as `pose.scene_of` says it.
    """

    _esm, _css = HERE / "doll.js", BASE + (HERE / "doll.css").read_text()

    height = traitlets.Int().tag(sync=True)
    width = traitlets.Int().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)  # figures and view, plain data
    seen = traitlets.Dict().tag(sync=True)  # people: 1 or 0 for each point of body, left and right; number: it counts
    anatomy = traitlets.Dict().tag(sync=True)
    gestures = traitlets.List().tag(sync=True)  # [name, hand]
    library = traitlets.List().tag(sync=True)  # [name, figure]
    file = traitlets.Dict().tag(sync=True)  # a file of another program that was opened: name, text, number
    problem = traitlets.Unicode().tag(sync=True)

    def __init__(
        self, people: Sequence[Mapping] | Mapping = ({},), height: int = 256, width: int = 256, place: str = "garden"
    ) -> None:
        state = dict(people) if isinstance(people, Mapping) else pose.state_of(people, width / height)
        gestures = [[name, {"curl": hand.curl, "spread": hand.spread}] for name, hand in pose.GESTURES.items()]
        library = [[name, *pose.state_of([person])["figures"]] for name, person in pose.library().items()]
        super().__init__(height=height, width=width, anatomy=anatomy(), gestures=gestures, library=library)
        self.place = place
        self._take(state)
        self.observe(self._moved, "state")
        self.observe(self._opened, "file")

    @property
    def value(self) -> str:
        """Return the state as JSON; setting it poses the doll."""
        return json.dumps(self.state, separators=(",", ":"))

    @value.setter
    def value(self, text: str) -> None:
        self._take(json.loads(text))

    @property
    def people(self) -> list[pose.Skeleton]:
        """Return the skeletons, in pixels; what is hidden or behind something is not seen."""
        return pose.skeletons(self.render(), self.state["figures"])

    def render(self, height: int | None = None, width: int | None = None) -> clay.Render:
        """Return the doll as a clay render with its truth, of the doll's size or another."""
        return clay.render(pose.scene_of(self.state, self.place), height or self.height, width or self.width)

    def load(self, source: Any) -> list[str]:
        """Pose the doll as people in a file stand, of any program; their depth is guessed.

        Args:
            source: whatever `pose.read` takes.

        Returns:
            Sentences about what had to be guessed.

        Raises:
            ValueError, FileNotFoundError: as `pose.read` and `pose.lift` do; the doll stays as it was.
        """
        found = pose.read(source, self.height, self.width)
        self._take(pose.lift(found.people, found.height, found.width))
        return found.notes

    def page(self) -> str:
        """Return the doll as a page of its own, HTML: it works in any browser, without Python and without network."""
        names = ("height", "width", "state", "anatomy", "gestures", "library")
        traits = {name: getattr(self, name) for name in names} | {"seen": {}, "file": {}, "problem": ""}
        traits = json.dumps(traits).replace("<", "\\u003c")
        script = json.dumps(str(self._esm).replace("</", "<\\/"))
        return PAGE.replace("{css}", str(self._css)).replace("{traits}", traits).replace("{script}", script)

    def _take(self, state: Mapping[str, Any]) -> None:
        """Pose the doll; what cannot be raises, and nothing changes."""
        with self.hold_sync():  # in one message: what is seen belongs to what is posed
            self._look(state)
            self.state = dict(state)

    def _look(self, state: Mapping[str, Any]) -> None:
        """Render a state, and keep what the renderer sees."""
        share = LOOKED / min(self.height, self.width)
        size = [max(16, round(side * share)) for side in (self.height, self.width)]
        made = clay.render(pose.scene_of(state, self.place), *size)
        self.made, self.posed, self.problem = made, state, ""
        found = [
            {part: points[:, 2].astype(int).tolist() for part in ("body", *SIDES)
             if (points := getattr(person, part)) is not None}
            for person in pose.skeletons(made)
        ]  # fmt: skip
        self.seen = {"number": self.seen.get("number", 0) + 1, "people": found}

    def _moved(self, change: Any) -> None:
        if change["new"] != self.posed or self.problem:  # else it was posed from here, and looked at
            self._try(lambda: self._look(change["new"]))

    def _opened(self, change: Any) -> None:
        def open_it() -> None:  # and tell what was guessed; bytes are never a path
            self.problem = " ".join(self.load(change["new"]["text"].encode()))

        if change["new"]:
            self._try(open_it)

    def _try(self, act: Any) -> None:
        """Act; what is wrong stands below the doll."""
        try:
            act()
        except Exception as problem:  # whatever it is, the learner reads it below the doll
            self.problem = reason(problem)


PAGE = """<!doctype html><meta charset="utf-8"><title>Doll</title><style>{css}</style><div id="doll"></div>
<script type="module">
const traits = {traits}, listeners = {};
const model = {
  get: (name) => traits[name],
  set: (name, value) => { traits[name] = value; listeners[`change:${name}`]?.(); },
  on: (event, act) => { listeners[event] = act; },
  save_changes() {},
};
const module = URL.createObjectURL(new Blob([{script}], { type: "text/javascript" }));
(await import(module)).default.render({ model, el: document.getElementById("doll") });
</script>
"""
