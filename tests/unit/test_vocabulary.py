"""The records of the clay world's things: numbers that stay for ever, groups that random draws index into."""

import subprocess
import sys
from pathlib import Path

from course_utils.clay import vocabulary as words

ROOT = Path(__file__).resolve().parents[2]

# As networks and class maps on disk have them: append only.
FROZEN = (
    "sky", "sand", "grass", "snow", "road", "floor", "earth", "lawn at night", "sea", "wall", "hill", "building",
    "cat", "dog", "bird", "bear", "lion", "horse", "elephant", "monkey", "frog", "turtle", "rabbit", "mouse",
    "backpack", "glasses", "crown", "suitcase", "chair", "balloon", "bow", "car", "bowl", "bench", "clock", "apple",
    "man", "woman", "hand", "ball", "box", "tree", "mushroom", "house", "painting", "hat", "moustache",
    "robot", "dragon", "teapot",
)  # fmt: skip


def test_class_numbers_are_frozen():
    assert words.CLASSES[: len(FROZEN)] == FROZEN
    assert all(words.CLASS_ID[word] == noun.number for word, noun in words.NOUNS.items())


def test_groups_stay_in_the_order_that_draws_index_into():
    assert FROZEN[12:24] == words.ANIMALS and FROZEN[24:36] == words.OBJECTS and FROZEN[39:45] == words.SCENERY
    assert words.PEOPLE == ("man", "woman") and words.HELD_OUT == ("robot", "dragon", "teapot")
    assert words.WEARABLES == ("crown", "glasses", "bow", "hat", "moustache")
    assert words.STANDALONE_WEARABLES == words.WEARABLES[:4]


def test_records_are_whole():
    for word, noun in words.NOUNS.items():
        assert noun.word == word and (noun.sculptor or noun.worn) and noun.height > 0
        assert all(words.rgb(colour) for colour in (*noun.natural, noun.usual))
        assert noun.view in ("side", "front", "any") and max(noun.segment) <= 255


TOY = """
import sys, types
from pathlib import Path

name = "course_utils.clay.vocabulary"
source = Path(sys.argv[1]).read_text()
record = '    _animal(50, "fox", 1.1, "pets.dog", "orange", "white"),\\n)}  # fmt: skip'
assert source.count("\\n)}  # fmt: skip") == 1
words = sys.modules[name] = types.ModuleType(name)
exec(compile(source.replace(")}  # fmt: skip", record), name, "exec"), words.__dict__)

import numpy as np
from course_utils import catalog, clay, judge
from course_utils.clay import captions, control_maps
from course_utils.controls import reader
from course_utils.judge import network

assert words.ANIMALS[-1] == "fox" and words.CLASSES[-1] == "fox" and words.CLASS_ID["fox"] == 50
drawn = [clay.sample(7, index) for index in range(400)]
found = next(scene for scene in drawn if len(scene.things) == 1 and scene.things[0].word == "fox")
made = clay.render(found, 64, 64)
assert (made.klass == 50).mean() > 0.05
assert "fox" in captions.caption(found, np.random.default_rng(0)).text
assert np.asarray(control_maps.seg_map(made))[made.klass == 50].tolist()[0] == [255, 0, 122]
asked = clay.scene(3, words="a white fox with a crown in the snow").things[0]
assert (asked.word, asked.colour, asked.wears[0].word) == ("fox", "white", "crown")
assert catalog.unknown_words("a fox and a cat", "clay") == ["fox"]
# The networks that ship were trained before it: they load, say what they said, and never a fox.
sight = judge.look(clay.render(clay.scene(1, words="a red clock"), 256, 256).image)
assert sight.has("clock", "red") and network.label_of("fox") == 40 == network.label_of("raised hand") + 1
try:
    sight.has("fox")
except ValueError as error:
    assert "'fox'" in str(error)
else:
    raise AssertionError("nobody told that the judge does not know a fox")
assert reader.load().heads["klass"].out_channels == 4 * 51
"""


def test_a_new_animal_is_one_record():
    """A fox, built as a dog is, added to the table alone: sampled, rendered, captioned, drawn; nothing shifts."""
    answer = subprocess.run([sys.executable, "-c", TOY, words.__file__], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
