# %% [markdown]
# {{badges}}
#
# # 12 · Control studio: everything in one panel
#
# You will walk once through the tab that the whole field works with, and then solve five jobs in one panel: a
# moustache, a pose on the beach, a hand, a crown, and a learned style in a pose. Each comes with a score, and with the
# plain call that does the same.

# %% [markdown]
# **You will**
# - walk the tab's way: picture, enable, preprocessor, model, prompt, run;
# - put units, LoRAs, excited words and a source picture into one record, and run it;
# - hold each job against the plain call that does it without the studio;
# - read how far each unit was obeyed, between its floor and its ceiling;
# - get a picture back from its PNG, maps and all, to the last bit.
#
# **You need** lessons 02, 04, 07, 08 and 10; each shows one part. About two minutes on two cores and 2 GB of memory;
# on a Colab T4 the card's peaks are those of lessons 05 and 08 (computed, not yet measured).

# %% tags=["setup"]
# {{setup}}

# %% tags=["nbval-ignore-output"]
from dataclasses import replace

import numpy as np
import torch

from course_utils import (
    adherence, catalog, checks, clay, controls, editing, env, excite, judge, metrics, personalize, plots, studio, widgets,
)
from course_utils.clay import truth
from course_utils.personalize import pretrained

runtime = env.start(seed=0)

# %% [markdown]
# On the map of the course: where all roads meet.

# %%
plots.diagram("map", here="12")

# %% [markdown]
# ## The walk
#
# Most people meet ControlNet in one place: a tab of a large web program, full of fields. The video walks through it,
# and once you have walked, you can find your way in any of its heirs. Upload a picture. *Enable* the unit, or nothing
# happens. Choose the *preprocessor*, and then the *model* that belongs to it. Write the prompt. Run.
#
# | there, in the tab | here, in the studio | lesson |
# |---|---|---|
# | picture, upload or canvas | Picture: clay scene, upload, drawing, doll, last result | 04, 10 |
# | Enable | Enable | |
# | Preprocessor, and a preview | Preprocessor, Preview | 04 |
# | Model | follows the preprocessor; a wrong pair is named | 04 |
# | Control Weight, Starting and Ending Step | Strength; apart from each other below Details | 05 |
# | Control Mode: balanced, prompt, ControlNet | Mode, the same three | 12 |
# | Resize Mode | Resize: fit, fill, stretch | |
# | Effective Region Mask | Region, painted on the picture | 12 |
# | prompt, sampler, steps, CFG scale, seed | prompt, scheduler, steps, guidance, seed | 01 |
# | - | how far each unit was obeyed | 04 |
# | - | the Python that does the same | |
#
# ## Three ways in
#
# | | what it takes | what it gives |
# |---|---|---|
# | a public demo on the Hub | a browser | somebody's knobs, after a queue; nothing of yours is kept |
# | Colab | an account | a card for some hours; this notebook runs as it is |
# | at home | a card of 8 GB, or patience | all of it, for good; without a card the clay lane |
#
# First the walk by hand, in plain diffusers. A grey figure in a room is our upload. Its skeleton is the map.

# %% [markdown]
# ## Exercises
#
# ### 12.1 · The prompt is more important (difficulty 2, 10 minutes)
#
# In the second mode the residual number $i$ of thirteen, counted from 0, is multiplied by $0.825^{12-i}$, so the
# middle of the UNet, the last one, hears the control in full. Write `weights(layers)`: the factors for any number of
# layers.

# %% tags=["exercise"]
def weights(layers):
    return None  # your line

checks.check("12.1", weights)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `np.arange(layers)[::-1]` counts down to 0.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def weights(layers):
#     return 0.825 ** np.arange(layers)[::-1]
# ```
# </details>
#
# ### 12.2 · A region (difficulty 3, 10 minutes)
#
# Write `inside(residual, mask)`. A residual is a tensor [batch, channel, rows, columns], the mask an array of numbers
# 0 to 1 with more rows and columns (here four times as many). Each place of the residual is multiplied by the share
# of its pixels that the mask covers.

# %% tags=["exercise"]
def inside(residual, mask):
    return None  # your lines

checks.check("12.2", inside)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `torch.nn.functional.adaptive_avg_pool2d` takes the mean over each cell; it wants a tensor [1, 1, rows, columns].
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def inside(residual, mask):
#     pixels = torch.as_tensor(mask)[None, None].to(residual)
#     return residual * torch.nn.functional.adaptive_avg_pool2d(pixels, residual.shape[-2:])
# ```
# </details>
#
# ### 12.3 · What others wrote (difficulty 2, 15 minutes)
#
# The text `parameters` in a PNG begins with the prompt, which may have several lines. Then comes, if there is one, a
# line `Negative prompt: ...`, and at last a line `Steps: 20, Sampler: ..., Seed: 7, ...`. Write `read(text)`: the pair
# of the prompt and the seed, a number.

# %% tags=["exercise"]
def read(text):
    return None  # your lines

checks.check("12.3", read)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `text.rpartition("\nSteps:")` cuts before the last line; cut what is left before `"\nNegative prompt:"`. Between
# `"Seed: "` and the next comma stands the seed.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def read(text):
#     head, _, last = text.rpartition("\nSteps:")
#     return head.partition("\nNegative prompt:")[0], int(last.partition("Seed: ")[2].partition(",")[0])
# ```
# </details>
#
# ### 12.4 · Dear knobs outside (difficulty 2, 10 minutes)
#
# Turning one knob costs nothing, turning another loads a model. Write `order(x, y, x_cost, y_cost)`: the list of all
# pairs `(x value, y value)`, in an order in which the dearer knob is turned as seldom as can be.

# %% tags=["exercise"]
def order(x, y, x_cost, y_cost):
    return None  # your lines

checks.check("12.4", order)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# In `[(a, b) for a in x for b in y]` the first loop is the outer one: `a` is turned seldom, `b` at every cell.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def order(x, y, x_cost, y_cost):
#     if y_cost > x_cost:
#         return [(a, b) for b in y for a in x]
#     return [(a, b) for a in x for b in y]
# ```
# </details>
#
# ### 12.5 · An experiment of your own (open, 20 minutes)
#
# **Predict** first, in one written sentence: the waving man on the beach gets a second unit, edges or depth of the
# *same* scene. At which strength of the second unit does the beach begin to go, and does the pose get better? **Run**
# it as a grid over both strengths, with a score in each cell. Then **explain** the corner that surprised you. There is
# no check; keep the grid's picture beside your sentence.
