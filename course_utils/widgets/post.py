"""How a run's thread writes to the widgets.

Everywhere but on Colab it just sets them. On Colab an update that is sent while the kernel is idle never reaches the
browser, so there the run leaves its updates here, and a heartbeat that the browser sends four times a second, while
a run is under way, delivers them: what is sent in answer to a message arrives.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipywidgets import Widget

from .. import env

HEARTBEAT = Path(__file__).with_name("heartbeat.js")


class Post:
    """Takes a run's updates to the widgets.

    Args:
        wait: keep them until `deliver`, as Colab needs it; None asks where we are.
    """

    def __init__(self, wait: bool | None = None) -> None:
        self.wait = env.place() == "colab" if wait is None else wait
        self._lock = threading.RLock()  # setting a trait may call an observer that posts
        self._letters: dict[Widget, dict[str, Any]] = {}

    def __call__(self, widget: Widget, **traits: Any) -> None:
        """Set a widget's traits, all in one message; of those that wait only the newest is kept."""
        with self._lock:
            if self.wait:
                self._letters.setdefault(widget, {}).update(traits)
            else:
                _set(widget, traits)

    def deliver(self) -> None:
        """Set what waits; call it while the kernel answers a message."""
        with self._lock:
            letters, self._letters = self._letters, {}
            for widget, traits in letters.items():
                _set(widget, traits)


def _set(widget: Widget, traits: dict[str, Any]) -> None:
    with widget.hold_sync():
        for name, value in traits.items():
            setattr(widget, name, value)


def heartbeat(on_beat: Callable[[], None]) -> Widget:
    """Return an invisible widget that calls `on_beat` four times a second while its `beating` is True."""
    import anywidget
    import traitlets

    class Heartbeat(anywidget.AnyWidget):
        _esm = HEARTBEAT
        beating = traitlets.Bool(False).tag(sync=True)
        beats = traitlets.Int(0).tag(sync=True)

    heart = Heartbeat()
    heart.observe(lambda change: on_beat(), "beats")
    return heart
