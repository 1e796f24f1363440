# %% [markdown]
# {{badges}}
#
# # 00 · Start here
#
# In one minute you have a picture that this computer made from words. Then you know where you are, what the course
# is built of, and where it leads.

# %% [markdown]
# **You will**
# - make a first picture, and another, and the same one again;
# - see what this computer offers, and ask the doctor whether anything is wrong;
# - look into a small world whose truth is known exactly;
# - see the whole road, and how exercises and checks work.
#
# **You need** about an hour with the exercises, some Python, and nothing but this notebook. The cells run in about
# half a minute on a computer with two cores and take 1.2 GB of memory. If you go on to the large model on a Colab T4,
# it is downloaded once, and a picture takes 2.9 GB of the card (computed, not yet measured).
#
# **How to read it.** Run the cells in order: press **Shift + Enter** in each, or choose *Run All* in the menu. The
# first cell is the setup, which is the same in each lesson. Run it, and do not try to read it.

# %% tags=["setup"]
# {{setup}}

# %% [markdown]
# ## A picture, before anything else
#
# The next cell imports what we need, looks around, and says in one line where you are. We will come back to that line.

# %% tags=["nbval-ignore-output"]
import numpy as np

from course_utils import catalog, checks, clay, doctor, env, judge, plots, widgets

runtime = env.start(seed=0, lane="clay")

# %% [markdown]
# The course carries a model of its own. It is small, 36 MB, so it needs no graphics card and no network. It is built
# of the same kinds of parts as Stable Diffusion ([Rombach et al., 2022](https://arxiv.org/abs/2112.10752)), only
# smaller. `catalog.load` makes it ready; `settings` are the four numbers that it works well with.

# %%
pipe = catalog.load("text2img", lane=runtime.lane)
settings = catalog.defaults(runtime.lane)
settings

# %% [markdown]
# And now a picture. Words go in, the **prompt**, and one number, the **seed**. `plots.described` shows a picture
# together with a text, which is read aloud to people who cannot see the picture.

# %%
def paint(prompt, seed=0):
    return pipe(prompt, generator=runtime.generator(seed), **settings).images[0]

first = paint("a black cat on the beach")
plots.described(first, "The first picture: made by the clay model from the words 'a black cat on the beach'.")

# %% [markdown]
# This cat is not stored anywhere. The model painted it anew: it began with noise, like the snow of an old television,
# and took the noise away in twenty steps. That is called **denoising**, and such a model is a **diffusion model** ([Ho
# et al., 2020](https://arxiv.org/abs/2006.11239)). What was left is a picture.
#
# Now other words. **Change them**, run the cell again, and see what you get.

# %%
prompts = ["a lion in the snow", "a red car on the street", "a yellow balloon in a room", "a woman in a green dress"]
plots.described(
    plots.strip([paint(prompt) for prompt in prompts], prompts, size=(192, 192)),
    "Four pictures of the clay model, one for each prompt: a lion, a red car, a yellow balloon, a woman.",
)

# %% [markdown]
# The words stay, the seed changes: each seed is another noise to begin with, and so another picture.

# %%
seeds = {seed: paint("a black cat on the beach", seed) for seed in range(4)}
plots.described(
    plots.strip(list(seeds.values()), [f"seed {seed}" for seed in seeds], size=(192, 192)),
    "Four pictures from the same words and four seeds, side by side.",
)

# %% [markdown]
# The same words and the same seed give the same picture again, on the same computer, with the same versions and
# settings. That is what makes a picture repeatable, and a comparison fair. A graphics card rounds otherwise than a
# processor, so another computer may give another picture; a lesson therefore compares only pictures that were made on
# one computer.
#
# The next cell holds the course to its word. `assert` is Python's word for that: it does nothing if what follows is
# true, and stops with an error if it is not. Cells with such lines are tagged `check`; you find one in most sections.

# %% tags=["check"]
assert np.array_equal(paint("a black cat on the beach", seed=2), seeds[2])
assert not np.array_equal(seeds[2], seeds[3])

# %% [markdown]
# ## Where am I?
#
# The line at the top said it: the **lane** (which family of models), the place (Colab or your own computer), the
# device, the memory, the kind of numbers that the model calculates with, and the versions of the libraries.
#
# If anything is missing or does not fit, the **doctor** names it, and says below it what mends it. When a lesson
# behaves strangely, come back here and ask.

# %% tags=["check", "nbval-ignore-output"]
findings = doctor.report(runtime.lane)
assert all(finding.ok or finding.fix for finding in findings)

# %% [markdown]
# ## A world whose truth is known
#
# A photograph alone does not tell its depth; somebody must have measured it on the spot. For our pictures we know it,
# in every pixel, for nothing: we made a world where everything is known, toys of clay, in seven places. A scene is
# plain data: these things, in these colours, there. Let us put a red clock and a blue bench on the beach. Remember the
# two. They will give us trouble.

# %%
scene = clay.scene(words="a red clock and a blue bench on the beach")
for thing in scene.things:
    print(thing.word, thing.colour, f"at x = {thing.x:.1f} m, {scene.place}")

# %% [markdown]
# `clay.render` turns the scene into a picture, and into everything that is true of it. No model, no guess, no lottery:
# it is geometry.

# %%
from course_utils import controls

made = clay.render(scene, height=256, width=256)
maps = [made.image, *(controls.from_truth(made, kind) for kind in ("depth", "normal", "seg"))]
plots.described(
    plots.strip(maps, ["picture", "depth", "normals", "classes"], size=(192, 192)),
    "A red alarm clock beside a blue bench on a beach; then its depth, near is bright; its normals; its classes.",
)

# %% [markdown]
# - **Depth map**: how far away each pixel is, near is bright. Lesson 03 keeps it and changes all else.
# - **Normal map**: which way each surface faces, written as a colour. (The sky has no surface; there it faces the eye,
#   in each pixel a little otherwise, so its colour changes slowly.)
# - **Segmentation**: what each pixel belongs to, one colour a class. Sand, sea, sky, clock, bench.
#
# Such maps are what a picture can be *controlled* with. Here we have them exactly, and for as many scenes as we like.

# %%
from course_utils.clay import truth

for thing in truth.things_seen(made):
    print(f"{thing['colour']} {thing['word']}: {thing['share']:.0%} of the picture")

# %% tags=["check"]
assert made.depth.shape == made.klass.shape == (256, 256) and made.image.shape == (256, 256, 3)
assert [(thing["word"], thing["colour"]) for thing in truth.things_seen(made)] == [("clock", "red"), ("bench", "blue")]
assert np.allclose(np.linalg.norm(made.normal[made.instance >= 0], axis=-1), 1, atol=1e-3)

# %% [markdown]
# The clay model learned from pictures of this world and from sentences about them, as Stable Diffusion learned from
# pictures of the web. So it knows few words. Below are its nouns, its colours, its places, and what its people wear.
# Some nouns are kept back on purpose, for later lessons in which the model learns something new. Of any other word the
# catalogue says that the model never met it.

# %%
from course_utils.clay import vocabulary as words

print("things:   ", ", ".join(word for word in words.THINGS if word not in words.HELD_OUT))
print("colours:  ", ", ".join(words.COLOURS))
print("places:   ", ", ".join(words.PLACES))
print("clothes:   a woman in a green dress, a man in a blue shirt")
print("kept back:", ", ".join(words.HELD_OUT))
print("never met:", catalog.unknown_words("a giraffe with a hat on the moon", lane="clay"))

# %% [markdown]
# ## Somebody who looks
#
# One more thing is needed before anything can be measured: somebody who looks at a picture and says what is in it. We
# call it the **judge**. It is a network of its own, which learned from the truth of the clay world alone. It names the
# things, how much of the picture each takes, and its colour.

# %% tags=["nbval-ignore-output"]
for name, picture in {"the rendered scene": made.image, "our first picture": first}.items():
    sight = judge.look(picture)
    print(f"{name}: " + ", ".join(f"{seen.colour} {seen.word} ({seen.share:.0%})" for seen in sight.things))

# %% tags=["check"]
assert judge.look(made.image).has("clock", "red") and judge.look(made.image).has("bench", "blue")
assert judge.look(first).has("cat", "black"), "the first picture shows what was asked for"

# %% tags=["remove-cell"]
import re

card = (env.ASSETS / "models/clay-judge/README.md").read_text()
questions, agreed = re.search(r"\| all answers \| (\d+) \| ([\d.]+)", card).groups()

# %% [markdown]
# How far can you trust it? Of the rendered scene you know the truth: compare the judge's shares with those printed
# above. For pictures that the model has painted there is no truth, so they were looked at a second time, by a viewer
# that knew neither the words nor what the judge had said. Of {{int(questions)}} questions, such as "is there a cat?"
# and "what colour is it?", the two answered {{float(agreed):.0%}} alike. The judge's card,
# `assets/models/clay-judge/README.md`, says who looked, and lists the errors. Keep them in mind when two counts are
# close to one another.
#
# ## Two lanes
#
# | lane | model | picture | where | truth |
# |---|---|---|---|---|
# | `clay` | the course's own, in the folder `assets` | 256 x 256, about a second | everywhere | known |
# | `sd15` | Stable Diffusion 1.5 | 512 x 512, not yet timed on a GPU | a GPU, such as Colab's T4 | not known |
#
# The cells are the same on both. What is *measured* is measured on clay; where a number cannot be known on `sd15`,
# the lesson says so. If you have a GPU, `sd15` is what you get from here on, and this is what it downloads, once:

# %% tags=["nbval-ignore-output"]
base = catalog.checkpoint("base", "sd15")
minutes = base.size_gb * 8 / 0.2 / 60
print(f"{base.id}: {base.size_gb} GB, about {minutes:.0f} minutes at 200 Mbit/s. Licence: {base.licence}.")
print("Lane from here on:", env.choose_lane())

# %% [markdown]
# Another lane? Choose it in the list, then run the cells below it. That holds for this notebook. In another one write
# `env.start(lane="clay")` in its second cell, or set the environment variable `COURSE_LANE` before you start Jupyter,
# as `make lab` does.

# %% tags=["widget", "nbval-ignore-output"]
import os

import ipywidgets

lane = ipywidgets.Dropdown(options=env.LANES, value=env.choose_lane(), description="lane")
lane.observe(lambda change: os.environ.update(COURSE_LANE=change.new), "value")
lane

# %% [markdown]
# The same words once more, in the lane that you have chosen. On `clay` you see the first picture again.

# %% tags=["nbval-ignore-output"]
runtime = env.start(seed=0)
pipe, settings = catalog.load("text2img", lane=runtime.lane), catalog.defaults(runtime.lane)
plots.described(paint("a black cat on the beach"), "A black cat on the beach, in the lane that was chosen.")

# %% [markdown]
# ## The road
#
# A model that makes any picture is a wonder for an evening. Then you want *one* picture: put a funny moustache on this
# gentleman. You ask, and you get a moustache, and another gentleman. Without control the game is soon over. Each
# lesson asks one question about control, and you make something that answers it:
#
# | lesson | question | what you will make |
# |---|---|---|
# | 01 Text to image | How does a picture come out of words? | the loop that paints, by hand, and a count of its luck |
# | 02 Image to image | Can I show a picture instead? | a moustache on a gentleman who stays himself |
# | 03 Depth to image | Can I keep the shapes and change all else? | a man from a grey street, on the beach |
# | 04 ControlNet | How do I give edges, poses, lines? | seven kinds of map, and how well each is obeyed |
# | 05 Several ControlNets | Can I give a pose *and* a hand? | a body and a hand, each from its own map |
# | 06 Attention maps | What does each word look at? | a heat map for each word |
# | 07 Attend-and-Excite | Can a forgotten word be brought back? | the lion's crown |
# | 08 LoRA | Can I teach it my own toy or style? | a small file that adds a toy to the model |
# | 09 Train a ControlNet | Can I invent a control of my own? | a ControlNet, trained in minutes |
# | 10 Pose and hands | Can I pose a doll? | a figure in a pose that you bent yourself |
# | 11 Video | What if the picture moves? | a walk, painted frame by frame, that flickers less |
# | 12 Control studio | Can I have all of it at once? | one panel with every control in it |
#
# There are three roads in this list. **By pictures**: you show the model what you mean (02 to 05, and 09 to 11).
# **By words**: you look at what each word does inside the model, and make it keep its promise (06 and 07). **By
# retraining**: you teach the model something new (08). All three roads end in lesson 12.
#
# You can walk them in the browser on [Colab](https://colab.research.google.com), which lends you a GPU for some hours
# (the badge at the top of each lesson opens it there), or on your own computer: on `clay` any will do, on `sd15` one
# with a GPU.
#
# <details><summary>How it came about (you may skip this)</summary>
#
# - For years computers had made faces that nobody could tell from photographs, with generative adversarial networks
#   ([Karras et al., 2018](https://arxiv.org/abs/1812.04948)), and you had no say in them. Words gave us a say.
# - 2021, December: latent diffusion ([Rombach et al.](https://arxiv.org/abs/2112.10752)); 2022, August: its release as
#   [Stable Diffusion](https://stability.ai/news/stable-diffusion-public-release).
# - 2022, August: [DreamBooth](https://arxiv.org/abs/2208.12242), which teaches a model your own thing; November:
#   [Stable Diffusion 2](https://stability.ai/news/stable-diffusion-v2-release) with a depth model; December: [LoRA for
#   diffusion](https://github.com/cloneofsimo/lora), after an idea for [language
#   models](https://arxiv.org/abs/2106.09685).
# - 2023, January: [Attend-and-Excite](https://arxiv.org/abs/2301.13826); February:
#   [ControlNet](https://arxiv.org/abs/2302.05543), and Corridor's [anime
#   short](https://www.youtube.com/watch?v=GVT3WUa-48Y); March: [several ControlNets at
#   once](https://github.com/huggingface/diffusers/pull/2627) in diffusers.
# - Today the models are larger. The ideas are the same.
# </details>

# %%
plots.diagram("map", here="00")

# %% [markdown]
# This is the map of the course. It shows how Stable Diffusion makes a picture: words pass the text encoder, a seed
# gives noise, and the UNet and the scheduler take that noise away in a loop, until the decoder makes a picture of what
# is left. You need not understand it yet; lesson 01 goes through it part by part. The numbers are the lessons of the
# table, each where it acts. Every lesson shows the map again, with its own place lit.

# %% [markdown]
# ## Exercises and checks
#
# Each exercise has a number, a difficulty from 1 to 5, a cell to fill in, and a line that calls `checks.check`. The
# check tries your answer. If something is wrong it says what, and why. It never stops the notebook, so *Run All* works
# with every exercise still open. A hint and a solution are folded below. This is what a check says to a wrong answer:

# %%
checks.check("00.1", "a giraffe with a hat on the moon")

# %% [markdown]
# ### Exercise 00.1 · Words that the model knows (difficulty 1, 3 minutes)
#
# Write a prompt with **two things**, a **colour right before each**, and a **place**. Then look whether all came.

# %% tags=["exercise"]
own = "a cat"
checks.check("00.1", own)
plots.described(paint(own), f"The picture that the model made from your words: {own}")

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# The nouns, colours and places that clay knows were printed above. "on the beach", "in the snow", "at night".
# </details>
# <details><summary>Solution</summary>
#
# ```python
# own = "a green frog and a pink balloon in the snow"
# ```
# </details>

# %% [markdown]
# ### Exercise 00.2 · Noise from a seed (difficulty 2, 8 minutes)
#
# A picture begins with noise, and a seed stands for one noise. Here you make that noise yourself and hand it to the
# model, as `latents`. The numbers come from **PyTorch**, the library in which these models are written: `torch.randn`
# draws as many as the shape asks for. (On its way the model draws a little more noise, from a generator of its own.)
# But run the cell and look: both pictures should have seed 3, and they differ. Between the two something else drew
# numbers, as any cell of a notebook may, and both draw from one common source.
# Mend `noise(seed, shape)`: the same seed gives the same noise, whatever else draws, and nobody else is disturbed.

# %% tags=["exercise", "nbval-ignore-output"]
import torch

def noise(seed, shape):
    return torch.randn(shape)  # mend this line

checks.check("00.2", noise)

shape = 1, pipe.unet.config.in_channels, *(settings[side] // pipe.vae_scale_factor for side in ("height", "width"))
twice = []
for _ in range(2):
    latents = noise(3, shape).to(runtime.device, runtime.dtype)
    walk = {"latents": latents, "generator": runtime.generator(0), **settings}
    twice.append(pipe("a black cat on the beach", **walk).images[0])
    torch.randn(7)  # somebody else draws
plots.described(plots.strip(twice, ["seed 3", "seed 3 again"], size=(192, 192)), "Two pictures from your noise.")

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# The common source is PyTorch's *global generator*. `torch.Generator()` makes another one, of your own; it has a
# method `manual_seed`, which returns the generator itself. `torch.randn` can be told which one to draw from:
# `generator=`.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def noise(seed, shape):
#     return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
# ```
# </details>

# %% [markdown]
# ### Exercise 00.3 · Read the truth (difficulty 2, 5 minutes)
#
# `made.klass` holds for each pixel the number of its class, and `words.CLASS_ID["clock"]` is the number of "clock".
# Write `share(made, word)`: how much of the picture belongs to a class, from 0 to 1.

# %% tags=["exercise"]
def share(made, word):
    return None  # your line

checks.check("00.3", share)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `made.klass == number` is an array of True and False, and the mean of that is a share.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def share(made, word):
#     return (made.klass == words.CLASS_ID[word]).mean()
# ```
# </details>
#
# ### Exercise 00.4 · Words or seed? (open, difficulty 1, 5 minutes)
#
# An open exercise has no answer that we know: you find it. What changes a picture more, another word or another seed?
# Choose two prompts of your own that differ in **one word**. **Predict**, before you paint: `"words"` or `"seed"`?
# **Run** both with the same four seeds, or more. `experiment()` gives your guess and a dict, `{prompt: [a picture for
# each seed], ...}`. The check **measures** how much a pixel changes on average, from 0 to 255, between two pictures.
# For "seed" it compares pictures of the same words, each seed with each other seed. For "words" it compares pictures
# of the same seed, one of each prompt. Then **explain** in a sentence what such a number does not see.

# %% tags=["exercise"]
def experiment():
    return None  # your guess, and your pictures

checks.check("00.4", experiment)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `[paint(prompt, seed) for seed in range(4)]` is a list of four pictures. A word for a thing and a word for a place
# may not weigh the same.
# </details>
# <details><summary>Solution</summary>
#
# One of many. It paints 8 pictures.
#
# ```python
# def experiment():
#     prompts = ["a black cat on the beach", "a black dog on the beach"]
#     return "words", {prompt: [paint(prompt, seed) for seed in range(4)] for prompt in prompts}
# ```
# </details>

# %% [markdown]
# ## The panel
#
# The same call, with knobs: type, press **Generate**, watch the picture form, press **Stop** if you have seen enough.
# Folded away at the end stands the Python that makes it again. The code presses the button once for you.

# %% tags=["widget", "nbval-ignore-output"]
panel = widgets.text2img_panel(pipe, runtime, prompt="a lion with a crown in the garden")
panel.generate.click()
panel.wait()
panel

# %% tags=["nbval-ignore-output"]
plots.described(panel.picture(), "The panel: fields and sliders for prompt, seed, steps, guidance; a picture.")

# %% [markdown]
# Did the lion get its crown? If not, try another seed. And another. You are playing the lottery, and that is where
# the next lesson begins.

# %% [markdown]
# ## Words of this lesson
#
# Each lesson ends with such a list. All of them together are the [glossary](GLOSSARY.md).
#
# - **prompt**: the words that say what the picture shall show.
# - **seed**: the number that decides which noise a picture begins with.
# - **diffusion model**: a model that has learned to take noise away, and so makes a picture out of pure noise.
# - **denoising**: taking the noise away, step by step.
# - **depth map**: a picture of how far away each pixel is; near is bright.
# - **normal map**: a picture of which way each surface faces.
# - **segmentation**: a picture of what each pixel belongs to, one colour for each class.
# - **lane**: in this course, the family of models in use: `clay` or `sd15`.
# - **judge**: in this course, the network that says what is in a clay picture.
# - **PyTorch**: the library for calculating with networks that all models here are written in.
#
# ## Read on
#
# - [The Illustrated Stable Diffusion](https://jalammar.github.io/illustrated-stable-diffusion/), Jay Alammar, 2022:
#   the whole model in pictures.
# - [High-Resolution Image Synthesis with Latent Diffusion Models](https://arxiv.org/abs/2112.10752), Rombach et al.,
#   2022: the paper behind Stable Diffusion.
# - [Diffusers, a quick tour](https://huggingface.co/docs/diffusers/quicktour): the library that all lessons use.
#
# ## To take with you
#
# - Words and a seed make a picture; on one computer the same words and the same seed make the same picture.
# - The clay world has a truth, the judge reads pictures, so in this course a claim is a number.
# - `clay` runs everywhere; `sd15` is for a GPU; the cells are the same.
#
# **Next:** [01 · Text to image](01_text_to_image.ipynb), the lottery.

# %%
env.release()
