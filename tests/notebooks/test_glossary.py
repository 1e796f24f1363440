"""Each lesson ends with its words and with three links; the glossary is made of those lists."""

import re

import pytest

from tools import build, glossary

SOURCES = build.sources()
LESSONS = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
LINK = re.compile(r"\]\(https://[^)]+\)")


def prose(source):
    return re.sub(r"^# ?", "", source.read_text(), flags=re.M)


@LESSONS
def test_each_word_stands_bold_where_it_is_introduced(source):
    listed = glossary.words(source)
    assert len(listed) >= 3, "a lesson ends with the list of its words"
    before = " ".join(prose(source).partition(glossary.HEADING)[0].split()).casefold()
    missing = [word for word in listed if not re.search(rf"\*\*{re.escape(word.casefold())}s?\*\*", before)]
    assert not missing, f"{source.stem} never introduces {missing}"


def test_each_word_stands_bold_once_and_in_its_own_lesson():
    """The label of a list, `- **leaked**: ...`, may repeat it."""
    home = {word.casefold(): source.stem for source in SOURCES for word in glossary.words(source)}
    for source in SOURCES:
        before = " ".join(prose(source).partition(glossary.HEADING)[0].split()).casefold()
        for word, own in home.items():
            bold = len(re.findall(rf"(?<!- )\*\*{re.escape(word)}s?\*\*", before))
            assert bold <= (own == source.stem), f"{source.stem} has {word!r} bold {bold} times; its lesson is {own}"


@LESSONS
def test_a_meaning_is_one_plain_sentence(source):
    for word, meaning in glossary.words(source).items():
        assert meaning.endswith(".") and len(meaning) < 140 and "|" not in meaning, f"{word}: {meaning}"


@LESSONS
def test_each_lesson_says_what_to_read_on(source):
    links = prose(source).partition("\n## Read on\n")[2].partition("\n## ")[0]
    items = re.split(r"^- ", links, flags=re.M)[1:]
    assert len(items) == 3 and all(LINK.search(item) for item in items), "three items, each with its link"
    assert len(set(LINK.findall(links))) == len(LINK.findall(links)), "a link stands twice"


def test_the_glossary_is_that_of_the_lessons():
    page = build.ROOT / "notebooks/GLOSSARY.md"
    assert page.read_text() == glossary.glossary(), "run `python -m tools.glossary`"
    assert page.read_text().count("\n| ") == 1 + sum(len(glossary.words(source)) for source in SOURCES)


def test_a_word_is_introduced_once(tmp_path):
    (tmp_path / "notebooks/src").mkdir(parents=True)
    for name, word in {"01_one": "seed", "02_two": "Seed"}.items():
        text = f"# {glossary.HEADING}\n#\n# - **{word}**: what noise\n#   begins with.\n#\n# ## Next\n# - **no**: w\n"
        (tmp_path / f"notebooks/src/{name}.py").write_text("#\n" + text)
    assert glossary.words(tmp_path / "notebooks/src/01_one.py") == {"seed": "what noise begins with."}
    with pytest.raises(ValueError, match="01_one and in 02_two"):
        glossary.glossary(tmp_path)
