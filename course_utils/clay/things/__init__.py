"""The sculptors, by word.

Each is called as ``sculptor(modeller, paint, rng, thing)`` inside the thing's own
frame (feet on y = 0, face towards +z, about a metre high) and gives an ``Anatomy``.
"""

from . import pets

SCULPTORS = {
    "cat": pets.cat,
}

# Wearables on a head, called as ``worn(modeller, head, paint, rng)``, and their usual colour.
WORN = {}
USUAL = {"crown": "yellow", "glasses": "black", "bow": "red", "hat": "brown", "moustache": "black"}
