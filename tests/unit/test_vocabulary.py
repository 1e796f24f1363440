"""The records of the clay world's things: numbers that stay for ever, groups that random draws index into."""

from course_utils.clay import vocabulary as words

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
