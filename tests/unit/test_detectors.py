"""The sd15 lane's detectors, of true size with random weights, on photographs: none crashes, what is empty is said."""

import ast
import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from course_utils import catalog, controls
from course_utils.catalog.checkpoints import Pickle
from course_utils.catalog.files import sha256
from course_utils.controls import annotators, preprocess_sd15
from tests.tiny import annotators as random

DETECTORS = [name for name, kind in controls.KINDS.items() if kind.preprocessors["sd15"].make.__module__ ==
             preprocess_sd15.__name__]  # fmt: skip
MAY_BE_EMPTY = [name for name in DETECTORS if controls.KINDS[name].empty]


def photographs():
    """Give photographs that ship with scikit-image, and pictures made of them."""
    person, table = Image.fromarray(data.astronaut()), Image.fromarray(data.coffee())
    people = table.resize((768, 512))
    for number, side in enumerate((360, 240, 150)):
        people.paste(person.resize((side, side)), (20 + 250 * number, 500 - side))
    return {
        "a person": person,
        "several people": people,
        "a room": Image.fromarray(data.stereo_motorcycle()[0]),
        "nothing": Image.new("RGB", (512, 512), "grey"),
    }


@pytest.fixture(scope="module")
def true_size(tmp_path_factory):
    """A Hub cache of all detectors, and what pins their random weights."""
    cache = tmp_path_factory.mktemp("detectors")
    depth, seg, rest = (catalog.checkpoint(use, "sd15") for use in ("depth estimator", "segmenter", "annotators"))
    random.build_depth_hub(cache, depth.id, depth.revision, true_size=True)
    snapshots = {
        "segmenter": random.build_segmenter_hub(cache, seg.id, true_size=True),
        "annotators": random.build_annotators_hub(cache, rest.id, rest.revision),
    }
    return cache, {
        use: tuple(
            Pickle(pickle.name, sha256(folder / pickle.name), pickle.size_gb)
            for pickle in catalog.checkpoint(use, "sd15").pickles
        )
        for use, folder in snapshots.items()
    }


@pytest.fixture
def hub(true_size, monkeypatch):
    from huggingface_hub import constants

    cache, pickles = true_size
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for use, pinned in pickles.items():
        entry = dataclasses.replace(catalog.checkpoint(use, "sd15"), pickles=pinned)
        monkeypatch.setitem(catalog.CHECKPOINTS["sd15"], use, entry)
    controls.release()
    yield
    controls.release()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("control", DETECTORS)
def test_photographs_become_maps(hub, control, capfd, recwarn):
    capfd.readouterr(), recwarn.clear()
    for name, picture in photographs().items():
        drawn = controls.make(control, picture, "sd15")
        assert drawn.mode == "RGB" and drawn.size == picture.size, name
        if controls.KINDS[control].resize == "lines":
            assert set(np.unique(drawn)) <= {0, 255}, name
        said = any("the map is empty and steers nothing" in note for note in controls.notes(drawn))
        assert said == (control in MAY_BE_EMPTY and not drawn.getbbox()), name
        assert isinstance(controls.problems(drawn, control), list)
    assert capfd.readouterr() == ("", "") and not list(recwarn)


@pytest.mark.parametrize("control", MAY_BE_EMPTY)
def test_an_empty_map_is_said(control, monkeypatch):
    """Whatever the network is: it sees nothing."""

    class Blind:
        def __call__(self, picture, **how):
            return Image.new("RGB", picture.size)

        def detect_poses(self, pixels, include_hand):
            return []

    monkeypatch.setattr(annotators, "kept", lambda name, load: Blind())
    drawn = controls.make(control, photographs()["nothing"], "sd15")
    note = f"{controls.KINDS[control].empty} in the picture: the map is empty and steers nothing."
    assert controls.notes(drawn) == (note,) and note in controls.problems(drawn, control)


# OpenPose with an answer that is known: what lies between the network and the map.

STANDING = np.array([
    (0.50, 0.14), (0.50, 0.26), (0.30, 0.26), (0.20, 0.42), (0.13, 0.58), (0.70, 0.26), (0.80, 0.42), (0.87, 0.58),
    (0.38, 0.56), (0.36, 0.75), (0.35, 0.93), (0.62, 0.56), (0.64, 0.75), (0.65, 0.93), (0.44, 0.08), (0.56, 0.08),
    (0.36, 0.11), (0.64, 0.11),
])  # fmt: skip
LIMBS = [
    (1, 2, 12), (1, 5, 20), (2, 3, 14), (3, 4, 16), (5, 6, 22), (6, 7, 24), (1, 8, 0), (8, 9, 2), (9, 10, 4),
    (1, 11, 6), (11, 12, 8), (12, 13, 10), (1, 0, 28), (0, 14, 30), (14, 16, 34), (0, 15, 32), (15, 17, 36),
    (2, 16, 18), (5, 17, 26),
]  # fmt: skip
# joint, joint, and the first of the two channels of their field (Cao et al., 2019)


class Answer(torch.nn.Module):
    """Answers as a perfect body network would: a peak for each joint, a field of unit vectors along each limb.

    people: [person, joint, (x, y)], shares of the picture; nan where a joint is hidden.
    """

    def __init__(self, people):
        super().__init__()
        self.device_of_the_network = torch.nn.Parameter(torch.zeros(1))
        self.people = people

    def forward(self, pixels):
        rows, columns = (side // 8 for side in pixels.shape[-2:])
        y, x = np.mgrid[:rows, :columns]
        heat, fields = np.zeros((19, rows, columns)), np.zeros((38, rows, columns))
        for person in self.people * (columns, rows) - 0.5:
            for joint, (column, row) in enumerate(person):
                if not np.isnan(column):
                    heat[joint] = np.maximum(heat[joint], np.exp(-((x - column) ** 2 + (y - row) ** 2) / 2))
            for first, second, channel in LIMBS:
                start, way = person[first], person[second] - person[first]
                if np.isnan(way).any():
                    continue
                along = ((x - start[0]) * way[0] + (y - start[1]) * way[1]) / (way @ way)
                off = np.hypot(x - start[0] - along * way[0], y - start[1] - along * way[1])
                on = (off < 1.2) & (along > -0.3) & (along < 1.3)
                fields[channel : channel + 2, on] = (way / np.linalg.norm(way))[:, None]
        return tuple(torch.from_numpy(made[None]).float() for made in (fields, heat))


def openpose(monkeypatch, people, hand=None):
    """Detect known people in a photograph of 512 x 1024; give the joints that are drawn, and the map."""
    detector, drawn = preprocess_sd15._openpose(), []
    detector.body_estimation.model = Answer(np.asarray(people, float).reshape(-1, 18, 2))
    if hand is None:
        detector.hand_estimation = lambda pixels: np.zeros((21, 2))
    draw = preprocess_sd15.draw_pose
    monkeypatch.setattr(annotators, "kept", lambda name, load: detector)
    monkeypatch.setattr(preprocess_sd15, "draw_pose", lambda *found: drawn.append(found) or draw(*found))
    made = controls.make("openpose", photographs()["several people"].resize((1024, 512)), "sd15")
    ((bodies, hands, _, _),) = drawn
    return bodies, hands, made


def at(*places):
    """Put standing people side by side: the middle of each, and its height, as shares."""
    return [(STANDING - (0.5, 0)) * (0.4 * height, height) + (middle, 0.02) for middle, height in places]


@pytest.mark.slow
@pytest.mark.parametrize("places", [(), ((0.5, 0.95),), ((0.17, 0.95), (0.5, 0.9), (0.83, 0.95))])
def test_openpose_finds_everybody(hub, monkeypatch, places):
    people = at(*places)
    bodies, hands, made = openpose(monkeypatch, people)
    assert len(bodies) == len(people) and not any((hand[:, 2] > 0).any() for hand in hands)
    found = sorted(bodies, key=lambda body: body[:, 0].mean())
    for body, person in zip(found, people, strict=True):
        assert body[:, 2].all(), "every joint"
        assert np.abs(body[:, :2] - person * (1024, 512)).max() < 24, "within a cell of the network's map and a half"
    assert bool(made.getbbox()) == bool(people)
    assert any("Nobody was found" in note for note in controls.notes(made)) == (not people)


@pytest.mark.slow
def test_openpose_sees_half_a_person_and_the_hand(hub, monkeypatch):
    """Joints that are hidden stay away, and the arm that is whole sends its hand to the true hand network."""
    (person,) = at((0.5, 0.95))
    person[[5, 6, 7, 9, 10, 12, 13]] = np.nan
    bodies, hands, made = openpose(monkeypatch, [person], hand="as it is")
    assert bodies[0][:, 2].tolist() == [float(not np.isnan(x)) for x, _ in person]
    assert len(hands) == 1 and hands[0].shape == (21, 3) and made.getbbox()


# The narrow door


def test_one_module_imports_controlnet_aux(root):
    importing = []
    for path in sorted((root / "course_utils").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            importing += [path.name for name in names if name.split(".")[0] == "controlnet_aux"]
    assert importing == ["preprocess_sd15.py"]


def test_each_of_its_detectors_has_a_successor(root):
    text = (root / "CONTRIBUTING.md").read_text().split("controlnet_aux")[1]
    rows = [row.split("|")[1].strip() for row in text.splitlines() if row.startswith("| ")][1:]
    assert rows[:4] == ["M-LSD", "HED", "OpenPose", "NormalBae"]
