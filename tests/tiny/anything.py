"""Values of any kind, for properties of settings: whatever a field is given, it is taken or refused by name."""

import math
from collections.abc import Callable
from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

JUNK = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text(max_size=9) | st.binary()
    | st.fractions() | st.decimals() | st.just(10**400) | st.just(10**5000) | st.just(max) | st.builds(object)
    | hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_dims=2, max_side=2))
    | hnp.scalar_dtypes().flatmap(lambda dtype: hnp.from_dtype(dtype))
)  # fmt: skip
ANYTHING = JUNK | st.lists(JUNK, max_size=3) | st.lists(JUNK, max_size=3).map(tuple) | st.dictionaries(st.text(), JUNK)
PLAIN = (int, float, str, bool, tuple, list, type(None), np.number, Fraction)  # what a field may hold, if it is taken


def refused_by_name(config: object, value: object, check: Callable = lambda config: None) -> None:
    """Put a value into each field of a dataclass in turn; it makes sense there, or the error tells."""
    for field in fields(config):
        try:
            check(replace(config, **{field.name: value}))
        except (TypeError, ValueError) as problem:
            named = str(problem).partition("=")[0].partition("[")[0]
            assert named in {each.name for each in fields(config)} and field.name in str(problem), problem
        else:
            assert isinstance(value, PLAIN), (field.name, value)
            assert not isinstance(value, float | np.floating) or math.isfinite(value), field.name
