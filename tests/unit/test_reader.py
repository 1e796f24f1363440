"""The reader: its answers are put together rightly at any size, and it doubts what it does not know."""

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.clay import vocabulary as words
from course_utils.controls import reader
from course_utils.controls import reader_joints as joints
from course_utils.judge.network import ready
from course_utils.recipe import reader as stage
from course_utils.recipe.reader_batches import frame, hills


@pytest.fixture(scope="module")
def model():
    """An untrained network, smaller than the real one."""
    return ready(small())


def small(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return reader.Reader((8, 16, 24), (1, 1, 1))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def person(column, row, seed=0):
    """Eighteen visible joints around a neck, in cells."""
    points = np.random.default_rng(seed).uniform(-14, 14, (18, 3)) + (column, row, 0)
    points[1, :2] = column, row
    points[:, 2] = 1
    return points.astype(np.float32)


def told(people, height, width):
    """What a perfect network would say of people: heat [18, h, w] and ways to the neck [2, h, w]."""
    tall, wide = np.mgrid[:height, :width] + 0.5
    heat = np.zeros((18, height, width), np.float32)
    ways = np.stack([np.stack([p[1, 0] - wide, p[1, 1] - tall]) for p in people]) / joints.REACH
    nearest = np.stack([np.hypot(p[1, 0] - wide, p[1, 1] - tall) for p in people]).argmin(0)
    for points in people:
        heat = np.maximum(heat, hills(points, max(height, width))[:, :height, :width])
    return heat, np.take_along_axis(ways, nearest[None, None], axis=0)[0].astype(np.float32)


def test_size_and_shapes():
    full = reader.Reader()
    assert sum(p.numel() for p in full.parameters()) <= 4e6
    said = small()(torch.zeros(2, 3, 64, 96))
    assert said.klass.shape == (2, len(words.CLASSES), 32, 48) and said.fingers.shape == (2, 21, 32, 48)


@pytest.mark.parametrize("size", [(256, 256), (200, 330), (16, 900), (700, 540)])
def test_reads_at_any_size(model, size):
    read = model.read(Image.fromarray(noise(*size)))
    assert read.seg.shape == size and read.seg.dtype == np.uint8 and read.seg.max() < len(words.CLASSES)
    assert read.normal.shape == (*size, 3) and read.normal.dtype == np.float32
    assert np.allclose(np.linalg.norm(read.normal, axis=-1), 1, atol=1e-3)
    assert 0 <= read.doubt <= 1
    assert all(points.shape == (18, 3) for points in read.body) and all(p.shape == (21, 3) for p in read.hands)


def test_a_picture_too_small_is_refused(model):
    with pytest.raises(ValueError, match="image has 1 x 40 pixels.*at least 16"):
        model.read(Image.new("RGB", (40, 1)))


def test_grey_and_transparent_pictures_are_read_as_rgb(model):
    grey = Image.fromarray(noise(64, 64)[..., 0])
    assert np.array_equal(model.read(grey).seg, model.read(grey.convert("RGBA")).seg)


# Joints


def test_two_people_are_kept_apart():
    people = [person(30, 40), person(90, 60, seed=1)]
    found = joints.bodies(*told(people, 100, 128))
    assert len(found) == 2
    for points, true in zip(sorted(found, key=lambda p: p[1, 0]), people, strict=True):
        assert np.abs(points[:, :2] - true[:, :2]).max() < 0.5 and points[:, 2].min() > 0.8


def test_joints_not_seen_are_left_out_and_two_joints_are_nobody():
    one = person(50, 50)
    one[2:9, 2] = 0
    (found,) = joints.bodies(*told([one], 100, 100))
    assert np.array_equal(found[:, 2] > 0, one[:, 2] > 0)
    one[2:, 2] = 0
    assert joints.bodies(*told([one], 100, 100)) == []


def test_hands_are_found_with_their_size():
    heat = np.maximum(hills(np.array([[20.5, 30.5, 1.0]]), 64)[0], hills(np.array([[50.5, 8.5, 1.0]]), 64)[0])
    size = np.zeros((64, 64), np.float32)
    size[:20], size[20:] = np.log(0.5), np.log(2)
    found = {tuple(at.round(1)): wide for at, wide in joints.palms(heat, size)}
    assert found == {(20.5, 30.5): pytest.approx(2 * joints.HAND), (50.5, 8.5): pytest.approx(joints.HAND / 2)}
    assert joints.palms(0.1 * heat, size) == []


def test_peaks_on_the_last_row_and_column_are_inside():
    heat = np.zeros((18, 40, 48), np.float32)
    heat[:4, -1, -1] = 0.9  # the hill's top lies beyond: the place is the very corner
    (found,) = joints.bodies(heat, np.zeros((2, 40, 48), np.float32))
    assert np.array_equal(found[:4, :2], [(48, 40)] * 4)
    ((at, wide),) = joints.palms(heat[0], np.zeros((40, 48), np.float32))
    assert tuple(at) == (48, 40) and wide == joints.HAND


@pytest.mark.parametrize("middle", [(50.0, 30.0), (2.0, 58.0), (99.0, 1.0)])
def test_a_window_leads_back_to_its_picture(middle):
    """A bright dot is where the way back says, also in windows that reach beyond the frame."""
    pixels = np.zeros((60, 100, 3), np.uint8)
    column, row = (min(max(int(v), 2), n - 3) for v, n in zip(middle, (100, 60), strict=True))
    pixels[row, column] = 255
    cut, back = joints.window(pixels, np.array(middle), 24.0, 96)
    at = np.argwhere(cut[..., 0] > 0.6 * cut.max()).mean(0)[::-1] + 0.5
    assert cut.shape == (96, 96, 3)
    assert np.allclose(back[:, :2] @ at + back[:, 2], (column + 0.5, row + 0.5), atol=0.3)


def test_a_hand_far_too_low_is_not_seen():
    heat = np.stack([hills(np.array([[10.2, 20.7, 1.0]]), 32)[0], np.full((32, 32), 0.01, np.float32)])
    points = joints.highest(heat)
    assert np.allclose(points[0, :2], (10.2, 20.7), atol=0.05) and points[0, 2] > 0.8 and points[1, 2] == 0


def test_a_perfect_network_is_read_back_in_pixels(monkeypatch):
    """Whatever the network says of cells arrives at the right pixels of a picture of another size and shape."""
    height, width = 480, 720
    people = [person(40, 50), person(130, 70, seed=1)]
    hand = np.random.default_rng(2).uniform(8, 56, (21, 3))
    heat, neck = told(people, 128, 192)
    palm, size = hills(np.array([[100.5, 64.5, 1.0]]), 192)[0][:128], np.zeros((128, 192), np.float32)

    def logit(p):
        return torch.from_numpy(np.log(np.clip(p, 1e-6, 1 - 1e-6) / np.clip(1 - p, 1e-6, 1)))[None].float()

    def say(self, x):
        cells = (x.shape[2] // 2, x.shape[3] // 2)
        empty = {name: torch.zeros(1, count, *cells) for name, count in reader.HEADS.items()}
        if x.shape[2] == reader.HAND_SIDE:
            hand[:, 2] = 1
            empty["fingers"] = logit(hills(hand, 64))
        else:
            empty |= {"body": logit(heat), "neck": torch.from_numpy(neck)[None], "palm": logit(palm[None])}
            empty["size"] = torch.from_numpy(size)[None, None]
        return reader.ReaderOutput(**empty)

    monkeypatch.setattr(reader.Reader, "forward", say)
    read = small().read(Image.fromarray(noise(height, width)))
    scale = height / 128  # pixels a cell
    for points, true in zip(sorted(read.body, key=lambda p: p[1, 0]), people, strict=True):
        assert np.abs(points[:, :2] - scale * true[:, :2]).max() < 2
    side = joints.HAND * scale * joints.ROOM
    corner = np.array([100.5, 64.5]) * scale - side / 2
    assert np.abs(read.hands[0][:, :2] - (corner + hand[:, :2] / 64 * side)).max() < 3


# Doubt


def test_who_is_less_sure_than_of_19_in_20_doubts():
    model = ready(small())
    pictures = [noise(64, 64, seed) for seed in range(40)]
    stage.set_doubt(model, pictures)
    with torch.inference_mode():
        doubts = [
            float(model.doubt(model(reader.prepare(reader.scaled(one, reader.SIDE)[None])).klass)) for one in pictures
        ]
    assert sum(doubt > 0.5 for doubt in doubts) == 2
    sure, torn = torch.zeros(1, len(words.CLASSES), 4, 4), torch.zeros(1, len(words.CLASSES), 4, 4)
    sure[:, 3] = 50
    assert float(model.doubt(sure)) < 1e-6 < 0.5 < float(model.doubt(torn))
    assert float(reader.class_entropy(torn)) == pytest.approx(np.log(len(words.CLASSES)))


# Files


def test_saved_reader_reads_back(tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = reader.Reader()
    model.far.fill_(1e-7)  # would be lost in half precision
    stage.save(model, tmp_path)
    back = reader.load(tmp_path)
    x = torch.zeros(1, 3, 32, 32)
    assert torch.allclose(back(x).klass, model(x).klass, atol=2e-2) and torch.equal(back.far, model.far)
    assert (tmp_path / "model.safetensors").stat().st_size < 8.5e6 and not back.training


def test_missing_damaged_and_foreign_weights_say_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="config.json.*STAGE=reader"):
        reader.load(tmp_path)
    stage.save(reader.Reader(), tmp_path)
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace('"cat"', '"wolf"'))
    with pytest.raises(ValueError, match="other words"):
        reader.load(tmp_path)
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 64)
    with pytest.raises(ValueError, match="damaged"):
        reader.load(tmp_path)


def test_a_hands_frame_holds_its_points():
    points = np.random.default_rng(0).uniform(10, 50, (21, 3))
    middle, size = frame(points)
    assert (np.abs(points[:, :2] - middle) <= size / 2 + 1e-9).all()
