"""Diagrams: what ships is what the code draws, letters fit, numbers are the models', the map lights one place."""

import itertools
import re
from types import SimpleNamespace
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from course_utils import env, plots
from tools import build
from tools.diagrams import __main__ as diagrams
from tools.diagrams import attention, course, shapes
from tools.diagrams.canvas import Canvas

DRAWN = diagrams.drawn()
MAX_BYTES = 12_000  # of each as a notebook keeps it


def test_what_ships_is_what_the_code_draws():
    kept = {path.name: path.read_text(encoding="utf-8") for path in (env.ASSETS / "diagrams").iterdir()}
    assert kept.keys() == DRAWN.keys(), "run `python -m tools.diagrams`, then `python -m tools.assets`"
    changed = [name for name in kept if kept[name] != DRAWN[name]]
    assert not changed, f"{changed}: run `python -m tools.diagrams`, then `python -m tools.assets`."


@pytest.mark.parametrize("name", DRAWN)
def test_each_is_small_and_stands_alone(name):
    svg = DRAWN[name]
    here = "04" if name == "map.svg" else ""
    stem, _, lane = name.removesuffix(".svg").partition("-")
    shown = plots.diagram(stem, lane, here)
    assert len(shown.svg.encode()) <= MAX_BYTES
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg") and root.find("{*}desc").text.strip()
    assert not re.search(r"href|url\(|<style|<script|<image| id=", svg), "no reference, no style, nothing that runs"
    assert "DejaVu Sans" in svg and 'font-family="' not in svg


@pytest.mark.parametrize("lane", env.LANES)
def test_sizes_are_those_of_the_models(lane):
    import torch
    from diffusers import ControlNetModel, UNet2DConditionModel

    from course_utils import personalize

    if lane == "sd15":
        unet = personalize.sd15_unet()
    else:
        with torch.device("meta"):
            unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(
                env.ASSETS / "models/clay-base/unet"))  # fmt: skip
    with torch.device("meta"):
        net = ControlNetModel.from_unet(unet, load_weights_from_unet=False)
    drawn, config = shapes.of(lane), unet.config
    assert drawn.additions == len(net.controlnet_down_blocks) + 1
    assert (drawn.channels, drawn.side, drawn.width) == (
        config.in_channels, config.sample_size, config.cross_attention_dim
    )  # fmt: skip
    assert [level.channels for level in drawn.levels] == list(config.block_out_channels)
    for level, down, up in zip(drawn.levels, unet.down_blocks, reversed(unet.up_blocks), strict=True):
        assert level.attends == hasattr(down, "attentions") == hasattr(up, "attentions")
        assert len(down.resnets) == drawn.layers and len(up.resnets) == drawn.layers + 1 == level.skips
    assert drawn.picture // drawn.side == (16 if lane == "clay" else 8)
    assert (13 if lane == "sd15" else 7) == drawn.additions


def test_the_worked_table_is_right():
    import torch

    q, k = (torch.tensor(rows, dtype=torch.float64) for rows in (attention.QUERIES, attention.KEYS))
    shares = torch.tensor([attention.shares(row) for row in attention.scores()], dtype=torch.float64)
    assert torch.allclose(shares, (q @ k.T / 4**0.5).softmax(-1))
    assert all(sum(round(float(share), 2) for share in row) == pytest.approx(1) for row in shares), "as a reader adds"


def test_letters_that_do_not_fit_are_an_error():
    canvas = Canvas(100, 50, "A test.")
    with pytest.raises(ValueError, match="wide and has 20"):
        canvas.box((10, 10, 38, 40), "#000000", ["far too long"])
    canvas.text((50, 20), "here")
    canvas.text((52, 22), "there")
    with pytest.raises(ValueError, match="lies over"):
        canvas.svg()
    canvas = Canvas(100, 50, "A test.")
    canvas.text((95, 20), "outside")
    with pytest.raises(ValueError, match="leaves the card"):
        canvas.svg()


@pytest.mark.parametrize("here", course.STOPS)
def test_the_map_lights_one_place(here):
    lit = plots.diagram("map", here=here)
    assert f"place of lesson {here}" in lit.alt and lit.alt.count("Lit is") == 1
    assert (
        "display='none'" not in lit.svg and lit.svg.count("<circle") == plots.diagram("map").svg.count("<circle") + 1
    )
    ElementTree.fromstring(lit.svg)


def test_lessons_show_diagrams_that_exist_and_light_their_own_place():
    lit = {}
    for source in build.sources():
        calls = re.findall(r"^plots\.diagram\((.*)\)$", source.read_text(), re.M)
        for call, lane in itertools.product(calls, env.LANES):
            eval(f"plots.diagram({call})", {"plots": plots, "runtime": SimpleNamespace(lane=lane)})
        lit[source.stem[:2]] = re.findall(r'"map", here="(\d\d)"', "\n".join(calls))
    assert all(places in ([], [number]) for number, places in lit.items()), lit
    assert all(lit[f"{number:02}"] for number in range(9)), "lessons 00-08 show the map"


def test_a_notebook_shows_it_with_its_text():
    shown = plots.diagram("lora", "clay")._repr_mimebundle_()
    source, alt = re.fullmatch(r'<img src="data:image/svg\+xml;charset=utf-8,([^"]*)" alt="([^"]*)">',
                               shown["text/html"]).groups()  # fmt: skip
    assert unquote(source) == DRAWN["lora-clay.svg"] and alt == shown["text/plain"] and alt.startswith("LoRA.")
    assert not re.search(r"[<>#\n]", source)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"name": "vae"}, "'vae' with lane='' is no diagram; there are: .*attention.*pipeline-clay"),
        ({"name": "pipeline"}, "pipeline-clay"),
        ({"name": "map", "here": "44"}, "here='44' is no place on 'map'; there are: 00, 01"),
        ({"name": "attention", "here": "06"}, "here='06' is no place on 'attention'; there are: none"),
    ],
)
def test_what_is_not_there_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        plots.diagram(**call)
