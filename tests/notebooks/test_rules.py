"""The rules that every lesson keeps; nothing is run here."""

import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest

from tools import build, fill, template, tidy

ROOT = Path(__file__).resolve().parents[2]
SOURCES, PUBLISHED = build.sources(ROOT), build.published(ROOT)
LESSONS = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
BUILT = pytest.mark.parametrize("source", PUBLISHED, ids=lambda path: path.stem)
TAGS = {"setup", "check", "exercise", "hint", "solution", "widget", "hide-input"}
TAGS |= {"nbval-ignore-output", "nbval-check-output", "nbval-skip", "skip-execution", "raises-exception"}
MAX_BYTES, MAX_CELL = 900_000, 40
WELL_KNOWN_UI = "web" + "ui"  # the string that Colab warns about


def cells(source, kind=None):
    return [cell for cell in build.lesson(source).cells if kind in (None, cell.cell_type)]


def lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


def tags(cell):
    return set(cell.metadata.get("tags", ()))


def kept(source):
    return nbformat.read(build.product(source), as_version=4)


def test_there_are_lessons():
    assert SOURCES


def test_each_lesson_has_a_notebook_unless_it_is_a_draft():
    notebooks = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert notebooks == {source.stem for source in PUBLISHED}
    quarantine = (ROOT / "tests/QUARANTINE.md").read_text()
    assert all(f"lesson {number}" in quarantine for number in template.drafts())


@LESSONS
def test_opening(source):
    """The badge row and the title stand first, the setup cell before any other code."""
    first = cells(source)[0]
    assert first.cell_type == "markdown"
    assert template.badge(source.stem, template.address()) in first.source.splitlines()[0]
    assert re.search(rf"^# {source.stem[:2]} · \S", first.source, re.M), "the title reads `# NN · Name`"
    setup = cells(source, "code")[0]
    assert "google.colab" in setup.source and "setup" in tags(setup) and len(setup.source.splitlines()) <= 12


@LESSONS
def test_budgets(source):
    every, code = cells(source), cells(source, "code")[1:]  # the setup cell is the template's
    sizes = sorted(len(lines(cell)) for cell in code)
    assert 30 <= len(every) <= 70
    assert 0.50 <= len(cells(source, "markdown")) / len(every) <= 0.65
    assert sizes[-1] <= MAX_CELL and statistics.median(sizes) <= 5
    assert sizes[int(0.9 * (len(sizes) - 1))] <= 20


@LESSONS
def test_tags(source):
    for cell in cells(source):
        assert tags(cell) <= TAGS, f"unknown tags {tags(cell) - TAGS} in {cell.source[:60]!r}"
        assert ("nbval-skip" in tags(cell)) == ("skip-execution" in tags(cell)), "a skipped cell carries both tags"
        if "check" in tags(cell):
            assert re.search(r"\bassert\b", cell.source), f"a check that asserts nothing: {cell.source[:60]!r}"
        if "widget" in tags(cell):
            assert "nbval-ignore-output" in tags(cell)
    assert any("check" in tags(cell) for cell in cells(source))


@LESSONS
def test_exercises(source):
    called = set(re.findall(r"checks\.check\(\s*[\"'](\d\d\.\d+)[\"']", source.read_text()))
    assert len(called) >= 3 and all(name.startswith(source.stem[:2]) for name in called)


@LESSONS
def test_ends_by_releasing(source):
    assert "env.release()" in cells(source, "code")[-1].source


@LESSONS
def test_pictures_have_alt_text(source):
    assert not re.findall(r"!\[\s*\]\([^)]*\)|<img(?![^>]*\balt=)[^>]*>", source.read_text())


@LESSONS
def test_nothing_forbidden(source):
    text = build.written(source)
    for pattern in (WELL_KNOWN_UI, r"\.cuda\(", r"trust_remote_code", r"share=True", r"/(?:root|home|Users|work)/"):
        assert not re.search(pattern, text, re.I), f"{pattern} in {source.name}"


@BUILT
def test_each_described_picture_is_shown(source):
    """A notebook shows what its cell's last line gives: a picture above it would be painted and never seen."""
    drawn = [cell for cell in kept(source).cells if cell.cell_type == "code" and "plots.described(" in cell.source]
    hidden = [cell.source[:80] for cell in drawn if not any("data" in output for output in cell.outputs)]
    assert not hidden, f"make plots.described the last line of {hidden}"


@BUILT
def test_notebook_was_built_from_this_source(source):
    changed = build.stale(source)
    assert not changed, f"{' and '.join(changed)} changed since {source.stem} was built: run `make notebooks`."
    built, sources = kept(source).cells, cells(source)
    assert [cell.cell_type for cell in built] == [cell.cell_type for cell in sources], (
        "the notebook was edited by hand"
    )
    for cell, source_cell in zip(built, sources, strict=True):
        text = cell.cell_type == "markdown"
        same = fill.fits(cell.source, source_cell.source) if text else cell.source == source_cell.source
        assert same, f"edited by hand: {cell.source[:60]!r}"


@BUILT
def test_notebook_keeps_clean_outputs(source):
    notebook = kept(source)
    assert not tidy.problems(notebook)
    assert any(cell.get("outputs") for cell in notebook.cells)
    ran = [cell for cell in notebook.cells if cell.cell_type == "code" and "skip-execution" not in tags(cell)]
    assert all(cell.execution_count for cell in ran if cell.source.strip())


@BUILT
def test_notebook_is_small_and_without_widget_state(source):
    assert build.product(source).stat().st_size <= MAX_BYTES
    notebook = json.loads(build.product(source).read_text())
    assert set(notebook["metadata"]) == {"kernelspec", "language_info", "course"}
    assert tidy.WIDGET_VIEW not in build.product(source).read_text()


def test_readme_points_where_the_setting_says():
    text = (ROOT / "README.md").read_text()
    assert template.readme(text, template.address()) == text, "run `make notebooks`"
    assert [source.stem for source in PUBLISHED] == template.README_BADGE.findall(text)
    assert template.address().repository in text


def test_quarantine_lists_every_skip():
    quarantine = (ROOT / "tests/QUARANTINE.md").read_text()
    skips = re.compile(r"mark\.(skip|xfail)|pytest\.(skip|xfail|importorskip)\(")
    for path in (ROOT / "tests").rglob("test_*.py"):
        if path != Path(__file__) and skips.search(path.read_text()):
            assert path.relative_to(ROOT).as_posix() in quarantine, f"{path.name} skips something that is not listed"
    for source in SOURCES:
        if any("nbval-skip" in tags(cell) for cell in cells(source)):
            assert source.stem in quarantine


@LESSONS
def test_no_time_is_promised_for_a_card_that_nobody_has_timed(source):
    """Then put its minutes into benchmarks/README.md, and quote them from there."""
    prose = " ".join(source.read_text().replace("\n# ", " ").split())
    promised = [
        text for text in re.split(r"(?<=[.;|])\s", prose) if "T4" in text and re.search(r"minute|hour|guess", text)
    ]
    assert not promised


def test_lessons_quote_the_peaks_that_were_computed():
    rows = re.findall(
        r"^\| (\w[^|]*?) \| (\d+\.\d+) \| (\d+\.\d+) \|", (ROOT / "benchmarks/README.md").read_text(), re.M
    )
    peak, weights = ({re.split(r"[,(]", row[0])[0].strip(): float(row[k]) for row in rows} for k in (1, 2))
    base, net = weights["text to image"], weights["two ControlNets"] - weights["one ControlNet"]
    expected = dict.fromkeys(("00", "01", "02", "07"), max(peak["text to image"], peak["Attend-and-Excite"]))
    expected |= {"03": base + peak["depth to image"], "04": peak["two ControlNets"], "06": peak["all attention maps"]}
    expected |= {"05": peak["two ControlNets"] + net, "08": max(peak["one ControlNet"], peak["LoRA"])}
    expected["10"] = peak["two ControlNets"]
    table = re.findall(r"^\| (\d\d(?:, \d\d)*) \| (\d+\.\d) GB \|", (ROOT / "README.md").read_text(), re.M)
    shown = {lesson: float(gb) for lessons, gb in table for lesson in lessons.split(", ")}
    assert shown == {lesson: round(gb, 1) for lesson, gb in expected.items()}
    for source in SOURCES:
        if (number := source.stem[:2]) in shown:
            prose = " ".join(source.read_text().replace("\n# ", " ").split())
            assert re.search(r"T4\b.{0,60}? (\d+\.\d) GB of the card", prose)[1] == f"{shown[number]}", source.stem


def test_lesson_00_quotes_the_card_of_the_judge():
    """The card is no asset that makes a notebook stale."""
    card = (ROOT / "assets/models/clay-judge/README.md").read_text()
    questions, agreed = re.search(r"\| all answers \| (\d+) \| ([\d.]+)", card).groups()
    prose = " ".join(" ".join(cell.source.split()) for cell in kept(SOURCES[0]).cells if cell.cell_type == "markdown")
    assert f"Of {questions} questions" in prose and f"answered {float(agreed):.0%} alike" in prose
