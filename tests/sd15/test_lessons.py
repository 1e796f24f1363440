"""Every lesson on the sd15 lane, cell for cell: Stable Diffusion 1.5's shapes, random weights, no network."""

import pytest

from tests.sd15.run import run
from tests.tiny import sd15
from tools.build import published


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    """The Hub cache, and the SHA-256 of the detectors' weights in it."""
    cache = tmp_path_factory.mktemp("hub")
    return cache, sd15.build(cache)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("source", published(), ids=lambda source: source.stem)
def test_lesson_runs_on_the_sd15_lane(source, hub):
    assert run(source, *hub) == []
