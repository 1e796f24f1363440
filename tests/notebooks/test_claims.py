"""A sentence that tells a result is filled in by the builder, or an assert quotes it and fails when it is not so."""

import ast
import re

import jupytext
import pytest

from tools import build

SOURCES = build.sources()
LESSONS = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
NUMBER = (
    r"(?:\d[\d,.]*|no|none|one|two|three|four|five|six|seven|eight|nine|ten|twelve|thirteen|sixteen|half|most|many|few"
    r"|nearly all|hardly any|a (?:half|third|quarter|tenth|fifth|dozen)|(?:two|three|nine) (?:thirds|quarters|tenths))"
)
WHOLE = rf"(?:the |these |our |its |all )?(?:\d+|{NUMBER}\b|pictures|seeds|tries)"
COUNTED = re.compile(
    rf"\d ?%|\bper ?cent\b|\b{NUMBER} (?:out )?of {WHOLE}|\b(?:twice|\w+ times) (?:as|more|less|fewer|the)\b"
    r"|\bin (?:all )?(?:two|three|four|five|eight|ten) (?:tries|pictures|seeds)\b"
    r"|\b(?:half|most|two thirds|three quarters|nine tenths) of (?:the|what|them)\b",
    re.I,
)  # fmt: skip
# What the course set or defines, what the video or a paper says: no model of ours can make it untrue.
SET = {
    "01": ["four verdicts", "one of the two is not there", "in per cent of the sixteen pictures"],
    "02": ["half of the outline is kept", "How many of the tries do"],
    "04": ["the authors 34 %", "the first 30 % alone", "Starting at 30 %", "at 70 %"],
    "05": ["twice as hard", "a promise is kept if"],
    "06": ["The query of the one times the key", "with at least half of its peak"],
    "07": [
        "the start token takes most", "the first half of the steps", "after 0, 20 and 40 %",
        "until half of what is missing", "99 of 100 true renders", "95 of 100 true renders",
    ],
    "09": ["half of the prompts emptied", "ten times as long"],
    "11": ["their 95 % intervals", "six times the first frame"],
}  # fmt: skip


def cells(source, kind):
    return [cell for cell in jupytext.reads(build.written(source), "py:percent").cells if cell.cell_type == kind]


def plain(text):
    return " ".join(re.sub(r"[*`\"'“”]", "", text).casefold().split())


def texts(source):
    """Return a lesson's paragraphs and alt texts, without exercises, code, formulas, tables and the closing lists."""
    found = []
    for cell in cells(source, "markdown"):
        if {"hint", "solution"} & set(cell.metadata.get("tags", ())):
            continue
        text = re.sub(r"```.*?```|\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|<details>.*?</details>", " ", cell.source, flags=re.S)
        text = re.split(r"^## Words of this lesson|^## Exercises|^### (?:Exercise )?\d\d\.\d", text, flags=re.M)[0]
        found += [each for each in re.split(r"\n\s*\n|\n(?=- )", text) if not each.lstrip().startswith(("|", "["))]
    for cell in cells(source, "code"):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "plots.described" and len(node.args) > 1:
                found += [part.value for part in ast.walk(node.args[1]) if isinstance(part, ast.Constant)]
    return [text for text in found if isinstance(text, str) and " " in text.strip()]  # not the "0%" of a format


def of_builder(cell):
    return "remove-cell" in cell.metadata.get("tags", ())


def asserts(cell):
    return [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Assert)]


def quotes(source):
    """Return the messages of the asserts: what the builder's say must stand in the text."""
    for cell in cells(source, "code"):
        for node in asserts(cell):
            if isinstance(node.msg, ast.Constant):
                yield of_builder(cell), node.msg.value


def sentences(text):
    return re.split(r"(?<=[.?!;:])\s+", " ".join(text.split()))


@LESSONS
def test_what_the_builder_asserts_is_a_sentence_of_the_text(source):
    told = plain(" ".join([*(cell.source for cell in cells(source, "markdown")), *texts(source)]))
    missing = [what for builders, what in quotes(source) if builders and plain(what) not in told]
    assert not missing, f"no text says {missing}"


@LESSONS
def test_what_only_the_builder_runs_is_there_for_the_text(source):
    """It asserts sentences, each quoted, or gives the next text its numbers; no cell of the reader leans on it."""
    every, known, built = jupytext.reads(build.written(source), "py:percent").cells, set(), set()
    for cell, after in zip(every, [*every[1:], None], strict=True):
        if cell.cell_type != "code":
            continue
        nodes = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)]
        made = {node.id for node in nodes if isinstance(node.ctx, ast.Store)}
        if of_builder(cell):
            found = asserts(cell)
            assert all(isinstance(node.msg, ast.Constant) for node in found), f"unquoted: {cell.source[:60]!r}"
            fills = after is not None and after.cell_type == "markdown" and "{{" in after.source
            assert found or fills, f"asserts and fills in nothing: {cell.source[:60]!r}"
            assert not made & known, f"a name of the reader's is overwritten: {made & known}"
            built |= made
        else:
            known |= made | {node.name for node in ast.walk(ast.parse(cell.source)) if hasattr(node, "name")}
            leaned = {node.id for node in nodes} & built - known
            assert not leaned, f"the reader has no {leaned}: {cell.source[:60]!r}"


@LESSONS
def test_a_counted_result_is_filled_in_or_asserted(source):
    quoted = [plain(what) for _, what in quotes(source)] + [plain(what) for what in SET.get(source.stem[:2], ())]
    loose = []
    for text in texts(source):
        if "](http" in text or "**You need**" in text:
            continue  # a paragraph with its source; times and memory, which other rules keep
        for sentence in sentences(text):
            if COUNTED.search(sentence) and "{{" not in sentence:
                if not any(what in plain(sentence) or plain(sentence) in what for what in quoted):
                    loose.append(sentence)
    assert not loose, "fill these numbers in, assert these sentences, or say who says so: " + "\n".join(loose)


@LESSONS
def test_what_is_checked_on_clay_alone_says_what_broke(source):
    silent = []
    for cell in cells(source, "code"):
        for node in ast.walk(ast.parse(cell.source)):
            lane = ast.unparse(node.test) if isinstance(node, ast.If | ast.Assert) else ""
            inside = ast.walk(node) if "clay" in lane or "sd15" in lane else ()
            silent += [ast.unparse(each) for each in inside if isinstance(each, ast.Assert) and not each.msg]
    assert not silent, f"give a message, best the words of the sentence that rests on it: {silent}"
