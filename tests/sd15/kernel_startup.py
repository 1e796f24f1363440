"""Runs as the kernel of a lesson starts: fewer steps, smaller pictures, and the random weights' own hashes.

No cell and no panel as it stands at first may need controlnet_aux, which a computer may lack: it is hidden here, and
tests/unit/test_detectors.py is where it runs.
"""

import json
import os
import sys
from dataclasses import replace

from course_utils.catalog import calls, checkpoints

sys.modules["controlnet_aux"] = None
calls.DEFAULTS["sd15"].update(json.loads(os.environ["COURSE_TEST_DEFAULTS"]))
_digests = json.loads(os.environ["COURSE_TEST_PICKLES"])
for _use, _entry in checkpoints.CHECKPOINTS["sd15"].items():
    checkpoints.CHECKPOINTS["sd15"][_use] = replace(
        _entry, pickles=tuple(replace(file, sha256=_digests.get(file.name, file.sha256)) for file in _entry.pickles)
    )

# Training of a few steps on small pictures: as heavy as a test may be, and every step is the lane's own.
from course_utils.personalize import presets  # noqa: E402

presets.PRESETS["sd15"]["lora"] = replace(presets.PRESETS["sd15"]["lora"], max_train_steps=8, height=128, width=128)
