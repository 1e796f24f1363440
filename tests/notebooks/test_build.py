"""The builder, tried on small lessons of its own."""

import base64
import io
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from PIL import Image

from course_utils import __version__
from tools import assets, build, fill, lesson, template, tidy

WHERE = template.Address("https://github.com/someone/clay", f"v{__version__}")
LESSON = """\
# %% [markdown]
# {{badges}}
#
# # 07 · Tiny

# %% tags=["setup"]
# {{setup}}

# %%
print("hello")

# %% tags=["widget", "nbval-ignore-output"]
import ipywidgets
ipywidgets.IntSlider()

# %%
import numpy as np
from PIL import Image
Image.fromarray(np.random.default_rng(0).integers(0, 255, (160, 160, 3), dtype=np.uint8))
"""


@pytest.fixture
def course(tmp_path):
    """A course with one lesson."""
    (tmp_path / "notebooks/src").mkdir(parents=True)
    (tmp_path / "assets/models").mkdir(parents=True)
    setting = f'[tool.course]\nrepository = "{WHERE.repository}"\n'
    (tmp_path / "pyproject.toml").write_text(setting)
    (tmp_path / "README.md").write_text(
        "[![Open in Colab](x)](y/notebooks/07_tiny.ipynb)\ngit clone --depth 1 https://a.b/c\n"
    )
    (tmp_path / "notebooks/src/07_tiny.py").write_text(LESSON)
    build._assets.cache_clear()
    return tmp_path


MEASURED = """
# %%
rate = sum([True, True, False, True]) / 4

# %% [markdown]
# It comes in {{rate:.0%}} of {{len("abcd")}}.

# %%
rate = None
"""


@pytest.fixture
def source(course):
    return course / "notebooks/src/07_tiny.py"


@pytest.mark.slow
def test_builds_tidy_and_only_once(course, source, capsys):
    assert build.stale(source) == ["source", "assets"]
    assert build.main([], course) == 0
    notebook = nbformat.read(course / "notebooks/07_tiny.ipynb", as_version=4)
    opening, setup, hello, widget, picture = notebook.cells
    assert template.badge("07_tiny", WHERE) in opening.source
    assert f"--branch {WHERE.tag} {WHERE.repository}" in setup.source and setup.outputs == []
    assert hello.outputs[0].text == "hello\n"
    assert widget.outputs == [] and widget.metadata.tags == ["widget", "nbval-ignore-output"]
    assert "image/jpeg" in picture.outputs[0].data and "image/png" not in picture.outputs[0].data
    assert set(notebook.metadata) == {"kernelspec", "language_info", "course"}
    first = build.product(source).read_bytes()
    capsys.readouterr()
    assert build.main([], course) == 0
    assert "up to date" in capsys.readouterr().out
    assert build.main(["07", "--force"], course) == 0
    assert build.product(source).read_bytes() == first, "the same run gives the same bytes"
    nbval = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", str(build.product(source))]
    done = subprocess.run(nbval, cwd=course, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_number_in_the_text_is_what_the_cells_before_it_measured(source):
    source.write_text(LESSON + MEASURED)
    nb = build.execute(source)
    texts = [cell.source for cell in nb.cells if cell.cell_type == "markdown"]
    assert texts[-1] == "It comes in 75% of 4."
    ran = [cell.execution_count for cell in nb.cells if cell.cell_type == "code"]
    assert ran == [1, 2, 3, 4, 5, 6] and not any("json" in cell.source for cell in nb.cells), "no trace is left"


def test_a_text_is_its_source_with_the_places_filled():
    assert fill.fits("It comes in 75% of 4.", "It comes in {{rate:.0%}} of {{n}}.") and fill.fits("a (b)", "a (b)")
    assert not fill.fits("It goes in 75% of 4.", "It comes in {{rate:.0%}} of {{n}}.")
    assert not fill.fits("It comes in {{rate:.0%}} of {{n}}.", "It comes in {{rate:.0%}} of {{n}}."), "never filled"
    assert not fill.fits("It comes in of 4.", "It comes in {{rate:.0%}} of {{n}}.")


@pytest.mark.parametrize(("place", "complaint"), [("rate.b", "no attribute"), ("float('nan')", "measured nothing")])
def test_a_number_that_nobody_measured_is_no_text(source, place, complaint, capsys):
    source.write_text(LESSON + MEASURED.replace("rate:.0%", place))
    assert build.main(["07"], root=source.parents[2]) == 1 and complaint in capsys.readouterr().err


def test_a_draft_is_built_only_when_it_is_asked_for(course, source):
    setting = course / "pyproject.toml"
    setting.write_text(setting.read_text() + 'drafts = ["07"]\n')
    assert build.published(course) == [] and build.sources(course) == [source]
    assert build.main([], course) == 0 and not build.product(source).exists()
    assert build.main(["07"], course) == 0 and build.product(source).exists()


def test_says_what_changed(course, source):
    build.build(source)
    assert build.stale(source) == []
    (course / "assets/models/base.bin").write_bytes(b"new weights")
    build._assets.cache_clear()
    assert build.stale(source) == ["assets"]
    pyproject = course / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("someone", "other"))
    assert build.stale(source) == ["source", "assets"], "a fork's setting is in every notebook"


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("import sys; print('x', file=sys.stderr)", "writes to stderr"),
        ("print('UserWarning: old')", "shows a warning"),
        ("print('/home/me/x.png')", "shows a path"),
        ("print(' 40%|####      | 4/10')", "shows a progress bar"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_refuses_what_must_not_be_kept(course, source, code, complaint, capsys):
    source.write_text(LESSON.split('# %% tags=["widget"')[0] + f"# %%\n{code}\n")
    assert build.main([], course) == 1
    assert complaint in capsys.readouterr().err
    assert not build.product(source).exists()


def test_hides_the_checkout_where_output_is_not_compared(course, source):
    cell = '# %% tags=["nbval-ignore-output"]\nimport os\nprint(os.getcwd())\n'
    source.write_text(LESSON.split('# %% tags=["widget"')[0] + cell)
    build.build(source)
    assert nbformat.read(build.product(source), as_version=4).cells[-1].outputs[0].text == "./notebooks\n"


@pytest.mark.parametrize("marker", [template.BADGES, template.SETUP])
def test_markers_must_stand_once(marker):
    with pytest.raises(ValueError, match="exactly once, found 0"):
        template.expand(LESSON.replace(marker, "#"), "07_tiny", WHERE)
    with pytest.raises(ValueError, match="found 2"):
        template.expand(LESSON + marker + "\n", "07_tiny", WHERE)


def test_unknown_lesson_is_named(course):
    with pytest.raises(ValueError, match="'08'.*07_tiny"):
        build.sources(course, ["08"])


def test_readme_follows_the_setting(course):
    build.main(["--force", "07"], course)
    text = (course / "README.md").read_text()
    assert template.badge("07_tiny", WHERE) in text
    assert f"git clone --depth 1 --branch {WHERE.tag} {WHERE.repository}" in text
    assert template.readme(text, WHERE) == text


def test_lesson_writes_a_page_with_its_pictures(course):
    assert lesson.main(["07"], course) == 0
    page = (course / "build/07_tiny.html").read_text()
    assert "hello" in page and "data:image/jpeg;base64" in page
    assert lesson.main([], course) == 2


def test_small_and_flat_pictures_stay_png():
    flat = Image.fromarray(np.zeros((64, 64, 3), np.uint8))
    buffer = io.BytesIO()
    flat.save(buffer, "PNG")
    output = nbformat.v4.new_output("display_data", {"image/png": base64.b64encode(buffer.getvalue()).decode()})
    assert "image/png" in tidy._tidy_output(output).data


def test_assets_are_listed(course):
    folder = course / "assets"
    (folder / "README.md").write_text(f"before\n{assets.BEGIN}\nold\n{assets.END}\nafter\n")
    (folder / "models/a.bin").write_bytes(b"clay")
    assets.main(folder)
    page = (folder / "README.md").read_text()
    assert page.startswith("before") and page.endswith("after\n") and "old" not in page and "`models/a.bin`" in page
    assert assets.manifest(folder)["models/a.bin"]["bytes"] == 4
