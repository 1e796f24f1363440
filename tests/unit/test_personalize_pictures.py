"""The data side: pictures of one's own, subjects and styles of the clay world, presets, places to keep a file."""

import io

import numpy as np
import pytest
from PIL import Image

from course_utils import clay, personalize
from course_utils.clay import vocabulary as words
from course_utils.clay.sample import sample
from course_utils.personalize.subjects import COMPANY, PLAIN_MIX, STYLE_WORLD, TRAIN
from tests.tiny.learning import TRIGGER, pictures

LITTLE = {"height": 64, "width": 64}


def test_pictures_of_every_kind_come_to_one_size(tmp_path):
    red = Image.new("RGB", (120, 90), "red")
    red.save(tmp_path / "a.jpg")
    file = io.BytesIO()
    Image.new("RGBA", (100, 100), (0, 0, 255, 0)).save(file, "PNG")
    turned = Image.new("RGB", (64, 128), "green")
    exif = turned.getexif()
    exif[274] = 6  # lying on its side
    turned.save(tmp_path / "turned.jpg", exif=exif)
    own = personalize.Example(red, "{} in a room")
    made = personalize.gather(
        [red, tmp_path / "a.jpg", str(tmp_path / "a.jpg"), file.getvalue(), own], TRIGGER, 64, 96
    )
    assert all(one.picture.size == (96, 64) and one.picture.mode == "RGB" for one in made)
    assert [one.caption for one in made] == ["a sks robot"] * 4 + ["sks robot in a room"]
    assert made[3].picture.getpixel((5, 5)) == (255, 255, 255), "transparent is white"
    (upright,) = personalize.gather([tmp_path / "turned.jpg"], TRIGGER, 64, 128)
    assert upright.picture.size == (128, 64)
    folder = personalize.gather(tmp_path, TRIGGER, 64, 64)
    assert len(folder) == 2


def test_a_picture_inside_an_example_is_treated_as_any_other():
    cut = np.zeros((64, 64, 4), np.uint8)
    cut[16:48, 16:48] = 255, 128, 0, 255
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph, file = Image.linear_gradient("L").resize((64, 64)).convert("RGB"), io.BytesIO()
    photograph.save(file, "JPEG", exif=exif)
    for picture in (Image.fromarray(cut), Image.open(file)):
        plain, captioned = (
            personalize.gather([one], TRIGGER, 64, 64)[0].picture
            for one in (picture, personalize.Example(picture, "a {} in a room"))
        )
        assert np.array_equal(np.asarray(plain), np.asarray(captioned)) and plain != photograph


def test_nothing_is_squeezed():
    disc = pictures(1, 100, 200)[0]
    (one,) = personalize.gather([disc], TRIGGER, 100, 100)
    assert np.array_equal(np.asarray(one.picture), np.asarray(disc)[:, 50:150])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "pictures has 0 pictures; give 1 to 200"),
        ([b"no picture"], r"pictures\[0\] is no picture that can be read; give a PNG"),
        ([Image.new("RGB", (64, 64)), 7], r"pictures\[1\] is of type int"),
        ([Image.new("RGB", (20, 20))], r"pictures\[0\] has 20 x 20 pixels, too few for 64 x 64.*at least 32 x 32"),
        ([Image.new("RGB", (600, 64))], "64 x 600 pixels: the middle of so long a picture"),
        (
            [personalize.Example(Image.new("RGB", (64, 64)), "a robot")],
            "'a robot' of .* lacks the trigger 'sks robot'",
        ),
    ],
    ids=["none", "text", "number", "small", "long", "untold"],
)
def test_pictures_that_will_not_do(given, said):
    with pytest.raises((ValueError, TypeError), match=said):
        personalize.gather(given, TRIGGER, **LITTLE)


def test_paths_that_lead_nowhere(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"pictures\[0\]=.*no.png' is no file"):
        personalize.gather([tmp_path / "no.png"], TRIGGER)
    with pytest.raises(FileNotFoundError, match="is no folder"):
        personalize.gather(tmp_path / "no", TRIGGER)
    with pytest.raises(ValueError, match="has 0 pictures"):
        personalize.gather(tmp_path, TRIGGER)


@pytest.mark.parametrize("trigger", ["", "  ", "?!", None])
def test_missing_trigger(trigger):
    with pytest.raises(ValueError, match="says nothing: use a rare word and the class"):
        personalize.gather(pictures(), trigger, **LITTLE)


def test_notes_say_what_a_learner_should_know():
    assert personalize.notes(pictures(3, 64, 64), TRIGGER, **LITTLE, lane="clay") == []
    one, cut = personalize.notes(pictures(1, 64, 96), TRIGGER, **LITTLE, lane="clay")
    assert one.startswith("One picture") and "64 x 96 are cut around the middle to 64 x 64" in cut
    (sizes,) = personalize.notes([*pictures(2, 64, 64), *pictures(1, 80, 80)], TRIGGER, **LITTLE)
    assert "64 x 64, 80 x 80" in sizes
    (known,) = personalize.notes(pictures(3, 64, 64), "cat", **LITTLE, lane="clay")
    assert "knows 'cat' already" in known
    assert personalize.notes(pictures(3, 64, 64), "cat", **LITTLE, lane="sd15") == []


def test_subjects_are_one_thing_in_many_scenes():
    scenes = [personalize.scene("robot", 1, index, "blue") for index in range(TRAIN + 2)]
    assert scenes[0] == personalize.scene("robot", 1, 0, "blue") and len({s.to_json() for s in scenes}) == len(scenes)
    assert len({s.place for s in scenes}) == len(words.PLACES)
    ours = [[(t.colour, t.variant) for t in s.things if t.word == "robot"] for s in scenes]
    assert ours == [[("blue", 1)]] * len(scenes)
    company = {k: (t.colour, t.word) for k, s in enumerate(scenes) for t in s.things if t.word != "robot"}
    assert company == {**COMPANY, 3: ("red", "bowl")}, "beside a blue robot no blue bowl: colours tell them apart"
    robot = personalize.subject("robot", 1, "blue", tests=1, height=32, width=48)
    assert (robot.word, robot.name, len(robot.train), len(robot.test)) == ("robot", "antenna robot", TRAIN, 1)
    assert all(one.picture.size == (48, 32) and one.caption.startswith("a {} ") for one in (*robot.train, *robot.test))
    assert "a {} and a green box on the street" in {one.caption for one in robot.train}
    blue = np.asarray(robot.train[0].picture).astype(int)
    assert (blue[..., 2] - blue[..., 0] > 60).mean() > 0.05
    with pytest.raises(ValueError, match="word='cat' is not held out"):
        personalize.subject("cat")
    with pytest.raises(ValueError, match="variant=5: a robot comes in the shapes 0 to 4"):
        personalize.subject("robot", 5)


@pytest.mark.parametrize("style", words.HELD_OUT_STYLES)
def test_a_style_is_drawn_in_scenes_of_the_world(style):
    first, second = personalize.style_examples(style, 2, height=48, width=64)
    plain = clay.render(sample(STYLE_WORLD, 0, PLAIN_MIX), 48, 64).image.astype(int)
    assert np.abs(plain - np.asarray(first.picture)).mean() > 3 and first.picture.size == (64, 48)
    assert first.caption.startswith("a {} picture of ") and first.caption != second.caption


def test_an_example_is_treated_as_a_plain_picture_is():
    cut = np.zeros((64, 64, 4), np.uint8)
    cut[16:48, 16:48] = 255, 128, 0, 255
    turned = Image.linear_gradient("L").convert("RGB").resize((64, 64))
    turned.getexif()[274] = 6
    grey = Image.fromarray(np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16))
    for picture in (Image.fromarray(cut), turned, grey, Image.fromarray(cut).convert("LA"), grey.convert("1")):
        plain, captioned = personalize.gather(
            [picture, personalize.Example(picture, "{} in a room")], TRIGGER, **LITTLE
        )
        assert plain.picture.tobytes() == captioned.picture.tobytes() and plain.picture.mode == "RGB"
    assert personalize.gather([Image.fromarray(cut)], TRIGGER, **LITTLE)[0].picture.getpixel((1, 1)) == (255,) * 3


def test_a_folder_gives_its_pictures_and_names_those_that_are_not_read(tmp_path):
    (tmp_path / ".ipynb_checkpoints").mkdir()
    for number, name in enumerate(("0.PNG", "1.tiff", "2.gif", "3.jfif", "4.webp", ".ipynb_checkpoints/5.png")):
        kind = "JPEG" if name.endswith("jfif") else None
        pictures(6, 64, 64)[number].save(tmp_path / name, kind)
    for name in ("six.heic", "seven.svg", "Thumbs.db", ".DS_Store", "0.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert len(personalize.gather(tmp_path, TRIGGER, **LITTLE)) == 5
    (note,) = personalize.notes(tmp_path, TRIGGER, **LITTLE, lane="clay")
    assert "2 pictures are left out (seven.svg, six.heic)" in note
    for path in (*tmp_path.glob("[0-9]*"), tmp_path / ".ipynb_checkpoints"):
        path.rename(tmp_path.parent / path.name) if path.is_file() else None
    with pytest.raises(ValueError, match=r"0 pictures.*left out \(seven.svg, six.heic\)"):
        personalize.gather(tmp_path, TRIGGER)


def test_a_rare_word_that_is_none_is_told():
    three = pictures(3, 64, 64)
    (note,) = personalize.notes(three, TRIGGER, **LITTLE, lane="sd15")
    assert "'sks' is a rifle" in note and personalize.notes(three, "zwx robot", **LITTLE, lane="sd15") == []


def test_presets_of_both_lanes():
    for lane, side in (("clay", 256), ("sd15", 512)):
        for method in personalize.presets.PRESETS[lane]:
            config = personalize.preset(method, lane, seed=7)
            assert (config.height, config.seed) == (side, 7) and config.max_train_steps >= 1
        assert personalize.preset("few_step", lane).max_train_steps <= 15
    with pytest.raises(ValueError, match="method='lore' is unknown; use one of 'lora'"):
        personalize.preset("lore", "clay")
    with pytest.raises(TypeError):
        personalize.preset("lora", "clay", ranks=3)


def test_a_file_is_sent_where_it_lasts(tmp_path, monkeypatch):
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    file = tmp_path / "robot.safetensors"
    file.write_bytes(b"123")
    kept = personalize.send(file, tmp_path / "home" / "deep")
    assert kept.read_bytes() == b"123" and kept.parent.name == "deep"
    for place in ("drive", "download"):
        with pytest.raises(ValueError, match=f"to='{place}' works on Colab"):
            personalize.send(file, place)
    with pytest.raises(FileNotFoundError, match="is no file"):
        personalize.send(tmp_path / "no.safetensors", tmp_path)
