"""The doll in JupyterLab, driven with a mouse and a keyboard as a learner does; on a page of its own with a finger."""

import json
import math
import re

import numpy as np
import pytest

from course_utils import pose
from course_utils.widgets import Doll, DollSettings, from_png
from tests.widgets.press import CONTROLLED, build_family, generate

expect = pytest.importorskip("playwright.sync_api").expect  # Colab has none
pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOW = """\
panel = widgets.doll_panel(pipe, runtime, people=[{"word": "man"}], num_inference_steps=1)
panel"""
SIDE = 256  # pixels of the picture


class Stage:
    """The doll on a page; places are pixels of the picture."""

    def __init__(self, page, panel):
        self.page, self.panel = page, panel
        self.canvas = panel.locator(".course-doll-stage")
        self.canvas.scroll_into_view_if_needed()

    def at(self, x, y):
        box = self.canvas.bounding_box()
        return box["x"] + x * box["width"] / SIDE, box["y"] + y * box["height"] / SIDE

    def pull(self, *places):
        for number, place in enumerate(places):
            self.page.mouse.move(*self.at(*place), steps=6)
            if number == 0:
                self.page.mouse.down()
        self.page.mouse.up()

    def button(self, name):
        return self.panel.get_by_role("button", name=name, exact=True)

    def settings(self):
        """Make a picture and read its settings: what Python has of the doll."""
        self.page.wait_for_timeout(600)  # a widget's state waits until the kernel is idle, a click does not
        generate(self.panel)
        with self.page.expect_download() as download:
            self.panel.get_by_text("Download PNG").click()
        return from_png(download.value.path(), DollSettings)

    def saved(self):
        with self.page.expect_download() as download:
            self.button("Save JSON").click()
        return json.loads(download.value.path().read_text())


def person(settings):
    """Python's skeleton of the doll's first figure."""
    return pose.skeletons(Doll(json.loads(settings.doll)).render(), json.loads(settings.doll)["figures"])[0]


def place(skeleton, joint):
    return skeleton.body[pose.JOINTS.index(joint)]


def test_drag_ring_undo_hide_hand_and_keys(lab, page, tmp_path):
    lab.write("doll.ipynb", CONTROLLED.format(assets=str(build_family(tmp_path / "assets")), control="openpose"), SHOW)
    lab.open(page, "doll.ipynb")
    lab.run_all(page)
    stage = Stage(page, page.locator(".course-panel"))
    start = Doll([{"word": "man"}]).people[0]
    wrist, goal = place(start, "left_wrist"), np.array([200.0, 70.0])

    stage.pull(wrist[:2], goal)  # the limb follows
    dragged = stage.settings()
    assert np.abs(place(person(dragged), "left_wrist")[:2] - goal).max() < 3
    assert np.abs(place(person(dragged), "right_wrist") - place(start, "right_wrist")).max() < 1
    drawn = np.asarray(dragged.maps()["openpose"])
    assert drawn[int(goal[1]) - 3 : int(goal[1]) + 4, int(goal[0]) - 3 : int(goal[0]) + 4].any()

    elbow = place(person(dragged), "left_elbow")[:2]
    page.mouse.click(*stage.at(*elbow))
    expect(stage.panel.locator(".course-doll-line")).to_contain_text("left elbow")
    radius = 34 * SIDE / stage.canvas.bounding_box()["width"]
    before = math.atan2(*(goal - elbow)[::-1])
    away = before + math.pi / 2  # take the ring where no dot is
    ring = [elbow + radius * np.array([math.cos(away + turn), math.sin(away + turn)]) for turn in (0, 0.4, 0.8)]
    stage.pull(*ring)
    turned = person(stage.settings())
    after = math.atan2(*(place(turned, "left_wrist") - place(turned, "left_elbow"))[1::-1])
    assert (
        after - before == pytest.approx(0.8, abs=0.12) and np.abs(place(turned, "left_elbow")[:2] - elbow).max() < 1.5
    )

    stage.button("Undo").click()
    assert stage.settings().doll == dragged.doll
    stage.button("Redo").click()
    assert np.abs(person(stage.settings()).body - turned.body).max() < 0.1
    stage.canvas.focus()
    page.keyboard.press("Control+z")
    stage.button("Undo").click()
    first = stage.settings()
    assert np.abs(person(first).body - start.body).max() < 1
    stage.panel.locator(".course-shot button").nth(1).click()  # Python brings the turned pose back
    expect(stage.button("Redo")).to_be_disabled()  # what was undone before belongs to another pose
    stage.button("Undo").click()
    assert stage.settings().doll == first.doll

    page.mouse.click(*stage.at(*place(start, "right_knee")[:2]))
    stage.button("Hide joint").click()
    hidden = stage.settings()
    assert not place(person(hidden), "right_knee")[2] and place(person(hidden), "left_knee")[2]
    column, row = place(start, "right_knee")[:2].astype(int)
    assert np.asarray(first.maps()["openpose"])[row, column].any()
    assert not np.asarray(hidden.maps()["openpose"])[row, column].any()

    page.mouse.click(*stage.at(*place(start, "right_wrist")[:2]))  # the hand's page opens
    stage.button("victory").click()
    stage.button("The other hand alike").click()
    (figure,) = json.loads(stage.settings().doll)["figures"]
    assert figure["right"]["curl"] == list(pose.GESTURES["victory"].curl) and figure["left"] == figure["right"]
    close = stage.panel.locator(".course-doll-hand")
    close.scroll_into_view_if_needed()
    close = close.bounding_box()
    fan = [(close["x"] + 12, close["y"] + 158), (close["x"] + 62, close["y"] + 158)]  # beside the hand: it turns
    page.mouse.move(*fan[0])
    page.mouse.down()
    page.mouse.move(*fan[1], steps=5)
    page.mouse.up()
    (figure,) = json.loads(stage.settings().doll)["figures"]
    assert abs(figure["right"]["palm"]) > 0.3

    before = person(stage.settings())
    stage.canvas.focus()
    page.keyboard.press("Escape")
    for _ in range(1 + pose.JOINTS.index("right_wrist")):
        page.keyboard.press("Tab")
    expect(stage.panel.locator(".course-doll-line")).to_contain_text("right wrist")
    for _ in range(4):
        page.keyboard.press("ArrowUp")
    after = person(stage.settings())
    moved = place(before, "right_wrist") - place(after, "right_wrist")
    assert moved[1] == pytest.approx(24 * SIDE / stage.canvas.bounding_box()["width"], abs=3) and abs(moved[0]) < 3
    page.screenshot(path=tmp_path / "doll.png")


def test_both_halves_see_the_same_skeleton_and_a_broken_file_is_explained(lab, page, tmp_path):
    lab.write("doll.ipynb", CONTROLLED.format(assets=str(build_family(tmp_path / "assets")), control="openpose"), SHOW)
    lab.open(page, "doll.ipynb")
    lab.run_all(page)
    stage = Stage(page, page.locator(".course-panel"))
    stage.button("Second person").click()
    stage.panel.get_by_role("tab", name="Poses").click()
    stage.button("sit").click()
    stage.pull((8, 30), (120, 50))  # walk around
    settings = stage.settings()
    state = json.loads(settings.doll)
    truth = pose.skeletons(Doll(state).render(), state["figures"])
    saved = pose.read(json.dumps(stage.saved()))
    assert len(saved.people) == len(truth) == 2 and (saved.height, saved.width) == (SIDE, SIDE)
    for own, python in zip(saved.people, truth, strict=True):
        both = (own.body[:, 2] * python.body[:, 2]).astype(bool)
        assert np.abs(own.body[both, :2] - python.body[both, :2]).max() < 0.1
        assert np.array_equal(own.body[:, 2], python.body[:, 2]), "Python said what is seen"
    chooser = stage.panel.locator("input[type=file]")
    problem = stage.panel.locator(".course-doll-problem")
    crowd = json.dumps({"people": [{"pose_keypoints_2d": [100, 100, 1] * 18}] * 200})
    for text, says in (
        ('{"people": [', "no JSON"),
        (crowd, "200"),
        ('{"people": [{"pose_keypoints_2d": [NaN]}]}', "1"),
    ):
        chooser.set_input_files({"name": "pose.json", "mimeType": "application/json", "buffer": text.encode()})
        expect(problem).to_contain_text(says)
    assert stage.settings().doll == settings.doll, "nothing is lost"
    good = pose.write([truth[0]], SIDE, SIDE)
    chooser.set_input_files({"name": "pose.json", "mimeType": "application/json", "buffer": good.encode()})
    expect(problem).to_be_empty()
    assert len(json.loads(stage.settings().doll)["figures"]) == 1


def test_a_page_of_its_own_without_python(page, tmp_path):
    """From a file, without network and kernel: the limb follows a finger, and what is saved opens again."""
    leaning = {"spine": [0.25, 1.0, 0.2], "head": [-0.1, 1.0, 0.3]}
    doll = Doll([{"word": "woman", "left": "five", "bones": leaning, "lengths": {"legs": 1.2, "arms": 0.9}}])
    (tmp_path / "doll.html").write_text(doll.page())
    wrist, goal = place(doll.people[0], "right_wrist")[:2], np.array([70.0, 80.0])
    context = page.context.browser.new_context(viewport={"width": 500, "height": 900}, has_touch=True, offline=True)
    page = context.new_page()
    problems = []
    page.on("pageerror", lambda problem: problems.append(problem.message))
    page.goto((tmp_path / "doll.html").as_uri())
    stage = Stage(page, page.locator("#doll"))
    touch(page, [stage.at(*wrist), stage.at(*(wrist + goal) / 2), stage.at(*goal)])
    saved = stage.saved()
    read = pose.read(json.dumps(saved)).people[0]
    assert np.abs(place(read, "right_wrist")[:2] - goal).max() < 3 and read.left[:, 2].all() and read.right is None
    python = Doll(saved["doll"]).people[0]
    assert np.abs(python.body[:, :2] - read.body[:, :2])[read.body[:, 2] > 0].max() < 0.1
    assert np.abs(python.left[:, :2] - read.left[:, :2]).max() < 0.1
    stage.button("Undo").click()
    stage.panel.locator("input[type=file]").set_input_files(
        {"name": "pose.json", "mimeType": "application/json", "buffer": json.dumps(saved).encode()}
    )
    expect(stage.button("Undo")).to_be_enabled()
    assert stage.saved()["people"] == saved["people"] and not problems
    floor = [[0.43 * math.sin(turn), 0, 0.43 * math.cos(turn)] for turn in (0.0, 0.4, 0.8)]
    floor = Doll(stage.saved()["doll"]).render().view.project(np.array(floor), SIDE, SIDE)
    touch(page, [stage.at(*place[:2]) for place in floor])  # the ring on the floor turns the whole figure
    assert stage.saved()["doll"]["figures"][0]["yaw"] == pytest.approx(0.8, abs=0.15)
    strange = {"name": "other.json", "mimeType": "application/json", "buffer": b'{"people": []}'}
    stage.panel.locator("input[type=file]").set_input_files(strange)
    expect(stage.panel.locator(".course-doll-problem")).to_contain_text(re.compile("other.json holds no doll"))
    context.close()


def touch(page, places):
    """Draw a finger over the page."""
    client = page.context.new_cdp_session(page)
    for number, (x, y) in enumerate(places):
        kind = "touchMove" if number else "touchStart"
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
