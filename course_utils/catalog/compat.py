"""Where versions of the libraries differ, and what they say that a learner need not read."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

from .. import env

TALKATIVE = (  # modules of diffusers
    "configuration_utils",
    "models.modeling_utils",
    "pipelines.pipeline_utils",
    "utils.deprecation_utils",
)
EXPECTED_LINES = (
    "Expected types for vae",
    "were passed to AutoencoderTiny, but are not expected",
    "appears to have been deprecated in transformers",
    "that should be kept in float32: []",  # of a file, where there are none
)


def dtype_keyword() -> str:
    """Return what `from_pretrained` of diffusers calls the dtype.

    Before 0.40 "torch_dtype"; "dtype" is silently ignored there and gives float32. From 0.40 on "dtype";
    "torch_dtype" warns on each load.
    """
    from packaging.version import Version

    return "dtype" if Version(env.installed("diffusers") or "0") >= Version("0.40") else "torch_dtype"


@contextmanager
def old_names(folder: Path) -> Iterator[None]:
    """Let a pipeline of 2022 find the classes that its index names, while it is read.

    CLIPFeatureExtractor and DPTFeatureExtractor are called ...ImageProcessor today; transformers 5 has dropped the old
    names, and diffusers does not know that.
    """
    import transformers

    index = folder / "model_index.json"
    entries = json.loads(index.read_text(encoding="utf-8")).values() if index.is_file() else ()
    named = {str(entry[1]) for entry in entries if isinstance(entry, list)}
    dropped = [name for name in named if name.endswith("FeatureExtractor") and not hasattr(transformers, name)]
    for name in dropped:
        setattr(transformers, name, getattr(transformers, name.replace("FeatureExtractor", "ImageProcessor")))
    try:
        yield
    finally:
        for name in dropped:
            delattr(transformers, name)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep loading bars away, and what diffusers logs about AutoencoderTiny and about renamed classes."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    def worth_saying(record: logging.LogRecord) -> bool:
        return not any(line in record.getMessage() for line in EXPECTED_LINES)

    loggers = [logging.getLogger(f"diffusers.{module}") for module in TALKATIVE]
    loud = [library for library in (diffusers_logging, transformers_logging) if library.is_progress_bar_enabled()]
    for logger in loggers:
        logger.addFilter(worth_saying)
    for library in loud:
        library.disable_progress_bar()
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(worth_saying)
        for library in loud:
            library.enable_progress_bar()


def without_warning(prepare: Callable) -> Callable:
    """Keep quiet that a CPU estimates depth in float32: the pipeline asks for an autocast that does nothing there."""

    @wraps(prepare)
    def prepared(*arguments, **named):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "In CPU autocast, but the target dtype is not supported")
            return prepare(*arguments, **named)

    return prepared
