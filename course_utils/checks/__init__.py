"""What exercises call: `checks.check("01.1", answer)` tries an answer, says what is wrong and why, and never raises."""

from .asking import check

__all__ = ["check"]
