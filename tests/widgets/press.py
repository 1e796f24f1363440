"""What the tests of all panels do: set knobs, press the button, wait."""

from tests.tiny import models

LONG = 300  # seconds, far more than a tiny picture takes
CONTROLLED = """\
from pathlib import Path
from course_utils import catalog, env, widgets
env.ASSETS = Path({assets!r})
runtime = env.start(seed=7, lane="clay")
pipe = catalog.load("controlnet", lane="clay", control={control!r})
"""  # a cell of a notebook begins so
WATCH = """button => {
    let turns = 0;
    window.idle = new Promise(done => new MutationObserver(seen => {
        turns += seen.length;
        if (turns > 1) done();
    }).observe(button, {attributeFilter: ["disabled"]}));
}"""  # a button that is switched off and on again


def make(panel, **knobs):
    """Set knobs and generate; give the shot."""
    for name, value in knobs.items():
        panel.knobs[name].value = value
    panel.generate.click()
    assert panel.wait(LONG)
    assert panel.shot or panel.error.value
    return panel.shot


def generate(panel):
    """Press Generate in a browser and wait until its picture is made: often too quickly to be looked at meanwhile."""
    button = panel.get_by_role("button", name="Generate", exact=True)
    button.evaluate(WATCH)
    button.click()
    panel.page.evaluate("() => window.idle")


def build_family(folder, controls=("openpose", "depth")):
    """Write assets with a tiny random clay base and ControlNets that do steer."""
    from diffusers import AutoencoderTiny

    base = models.build_clay_folder(folder / "models/clay-base")
    vae = AutoencoderTiny.from_pretrained(base / "vae")
    vae.decoder.layers[-1].weight.data *= 30  # else what changes is lost when 256 levels are left
    vae.half().save_pretrained(base / "vae")
    for control in controls:
        models.build_clay_control(folder / f"models/clay-control-{control}", base, steers=0.5)
    return folder
