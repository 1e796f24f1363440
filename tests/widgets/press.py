"""What the tests of all panels do: set knobs, press the button, wait."""

LONG = 300  # seconds, far more than a tiny picture takes


def make(panel, **knobs):
    """Set knobs and generate; give the shot."""
    for name, value in knobs.items():
        panel.knobs[name].value = value
    panel.generate.click()
    assert panel.wait(LONG)
    assert panel.shot or panel.error.value
    return panel.shot
