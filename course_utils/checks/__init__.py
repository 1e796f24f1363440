"""What exercises call: `checks.check("01.1", answer)` tries an answer and says what is wrong and why.

A lesson's exercises stand in `lesson_NN.py`; each function there takes an answer, raises `NotYet` where it is wrong,
and returns the sentence that a right answer earns.
"""

from .asking import check
