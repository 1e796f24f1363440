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
# **You need** nothing but this notebook. On a computer with two cores it runs in about half a minute and takes
# 1.2 GB of memory. If you go on to the large model on a Colab T4, it is downloaded once, and a picture takes 2.9 GB of
# the card (computed, not yet measured).

# %% tags=["setup"]
# {{setup}}

# %% [markdown]
# ## A picture, before anything else
#
# Run the cells in order: press **Shift + Enter** in each, or *Run All* in the menu. The next cell looks around and
# says in one line where you are. We will come back to that line.

# %% tags=["nbval-ignore-output"]
import numpy as np

from course_utils import catalog, checks, clay, doctor, env, judge, plots, widgets

runtime = env.start(seed=0, lane="clay")

# %% [markdown]
# The course carries a model of its own. It is small, 36 MB, so it needs no graphics card and no network. It is built
# exactly like Stable Diffusion ([Rombach et al., 2022](https://arxiv.org/abs/2112.10752)), from the same parts.
# `catalog.load` makes it ready; `settings` are the four numbers that it works well with.

# %%
pipe = catalog.load("text2img", lane=runtime.lane)
settings = catalog.defaults(runtime.lane)
settings

# %% [markdown]
# And now a picture. Words go in, the **prompt**, and one number, the **seed**.

# %%
def paint(prompt, seed=0):
    return pipe(prompt, generator=runtime.generator(seed), **settings).images[0]

first = paint("a black cat on the beach")
plots.described(first, "The first picture: made by the clay model from the words 'a black cat on the beach'.")

# %% [markdown]
# No photograph of a cat was copied: there is none in this course. The model began with noise, like the snow of an old
# television, and took the noise away in twenty steps. That is called **denoising**, and such a model a **diffusion
# model** ([Ho et al., 2020](https://arxiv.org/abs/2006.11239)). What was left is a picture.
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
    "Four pictures from the same words and four seeds: four black cats, or what passes for one, and no two alike.",
)

# %% [markdown]
# The same words and the same seed give the same picture, every time. That is what makes a picture repeatable, and a
# comparison fair. A cell like the next one holds the course to its word: it is tagged `check`, and it fails if what
# was just said is not so.

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
# Nobody knows the true depth of a photograph, so nobody can say how wrong a depth map of it is. So we made a world
# where everything is known: toys of clay, in seven places. A **scene** is plain data: these things, in these colours,
# there. Let us put a red clock and a blue bench on the beach. Remember the two. They will give us trouble.

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
# pictures of the web. So it knows few words. These are the nouns, the colours and the places; of any other word the
# catalogue says that the model never met it.

# %%
from course_utils.clay import vocabulary as words

print("things: ", ", ".join(word for word in words.THINGS if word not in words.HELD_OUT))
print("colours:", ", ".join(words.COLOURS))
print("places: ", ", ".join(words.PLACES))
print("never met:", catalog.unknown_words("a giraffe with a hat on the moon", lane="clay"))

# %% [markdown]
# ## Somebody who looks
#
# One more thing is needed before anything can be measured: somebody who looks at a picture and says what is in it. We
# call it the **judge**. It is a network of its own. It learned from the truth of the clay world alone and never saw a
# picture that a model had made. It names the things, how much of the picture each takes, and its colour.

# %% tags=["nbval-ignore-output"]
for name, picture in {"the rendered scene": made.image, "our first picture": first}.items():
    sight = judge.look(picture)
    print(f"{name}: " + ", ".join(f"{seen.colour} {seen.word} ({seen.share:.0%})" for seen in sight.things))

# %% tags=["check"]
assert judge.look(made.image).has("clock", "red") and judge.look(made.image).has("bench", "blue")
assert judge.look(first).has("cat", "black"), "the first picture shows what was asked for"

# %% [markdown]
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
# For years computers made faces that nobody could tell from photographs, with a **GAN** ([Karras et al.,
# 2018](https://arxiv.org/abs/1812.04948)), and you had no say in them. Words gave us a say. A model that makes any
# picture is a wonder for an evening. Then you want *one* picture: put a funny moustache on this gentleman. You ask,
# and you get a moustache, and another gentleman. Without control the game is soon over.
#
# There are three roads to control, and this course walks them all.
#
# **Pictures.** Show the model what you mean. Image to image keeps too much: the photo of a man on a street, asked for
# a beach, stays a street or loses the man. Depth keeps the shape and frees the colour. ControlNet ([Zhang et al.,
# 2023](https://arxiv.org/abs/2302.05543)) does it for edges, lines, scribbles, poses, classes, depth, normals, and
# anything else that you can think of: copy the network, lock the original, train the copy. What had taken over 12
# million pictures and, says the video that this course retells, over 2,000 hours of large GPUs, then took 200,000
# pictures and five days on one card.
#
# **Words.** A list of things is a lottery: the lion forgets its crown, the cat and the dog become a cat-dog, the
# clock and the bench swap their colours. Look at what each word does inside the model, then make it keep its promise.
#
# **Retraining.** Teach the model your own toy or your own style: in a file of 1.7 GB with DreamBooth, of a few MB with
# LoRA.

# %% [markdown]
# ### How it came about, and three ways in
#
# - 2021, December: **latent diffusion** ([Rombach et al.](https://arxiv.org/abs/2112.10752)); 2022, August: its
#   release as [Stable Diffusion](https://stability.ai/news/stable-diffusion-public-release).
# - 2022, August: [DreamBooth](https://arxiv.org/abs/2208.12242); November: [Stable Diffusion
#   2](https://stability.ai/news/stable-diffusion-v2-release) with a depth model; December: [LoRA for
#   diffusion](https://github.com/cloneofsimo/lora), after an idea for [language
#   models](https://arxiv.org/abs/2106.09685).
# - 2023, January: [Attend-and-Excite](https://arxiv.org/abs/2301.13826); February:
#   [ControlNet](https://arxiv.org/abs/2302.05543), and Corridor's [anime
#   short](https://www.youtube.com/watch?v=GVT3WUa-48Y); March: [several ControlNets at
#   once](https://github.com/huggingface/diffusers/pull/2627) in diffusers, and the video.
# - Today the models are larger. The ideas are the same, as the last table of lesson 09 shows.
#
# There are three ways to try all this. A public demo on the Hugging Face Hub, such as [this
# one](https://huggingface.co/spaces/hysts/ControlNet-v1-1), has a tab for each control; you wait in a queue with
# everybody else, and cannot look inside. [Colab](https://colab.research.google.com) lends you a GPU for some hours;
# the badge at the top of each lesson opens it there. At home nobody waits and nothing leaves your computer: on `clay`
# any will do, on `sd15` one with a GPU. This course is made for the last two.

# %%
plots.diagram("map", here="00")

# %% [markdown]
# This is the map of the course. It shows how Stable Diffusion makes a picture: words pass the text encoder, a seed
# gives noise, and the UNet and the scheduler take that noise away in a loop, until the decoder makes a picture of
# what is left. You need not understand it yet. The numbers are the lessons, each where it acts: **01** and **02** on
# the loop, **03**, **04**, **05**, **10** and **11** with pictures, **06** and **07** on the words, **08** and **09**
# by retraining. Every lesson shows the map again, with its own place lit.
#
# All three end in **12**: one panel in a notebook with every control in it. The preprocessor and the model come in
# pairs, a hand is asked for its fingers, a doll is posed, a clip is painted frame by frame and its flicker measured:
# each is a lesson on the way.

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
# ### Exercise 00.2 · Noise from a seed (difficulty 2, 5 minutes)
#
# A picture begins with noise, and a seed stands for one noise. Write `noise(seed, shape)`: the same seed must always
# give the same noise, whatever ran before, and no other cell may be disturbed.

# %% tags=["exercise"]
import torch

def noise(seed, shape):
    return torch.randn(shape)  # mend this line

checks.check("00.2", noise)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `torch.manual_seed` sets the one generator that everything draws from. Make one of your own instead:
# `torch.Generator().manual_seed(seed)`. `torch.randn` takes a `generator=`.
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
# **Run** both with the same four seeds, or more. `experiment()` gives your guess and a dict,
# `{prompt: [a picture for each seed], ...}`. The check **measures**: how much does a pixel change on average, from 0
# to 255? Then **explain** in a sentence what such a number does not see.

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
# - **latent diffusion**: denoising a small, compressed picture instead of the pixels.
# - **depth map**: a picture of how far away each pixel is; near is bright.
# - **normal map**: a picture of which way each surface faces.
# - **segmentation**: a picture of what each pixel belongs to, one colour for each class.
# - **GAN**: a generative adversarial network: two networks, one that paints and one that tells paintings from
#   photographs.
# - **lane**: in this course, the family of models in use: `clay` or `sd15`.
# - **judge**: in this course, the network that says what is in a clay picture.
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
# - Words and a seed make a picture; the same words and the same seed make the same picture.
# - The clay world has a truth, the judge reads pictures, so in this course a claim is a number.
# - `clay` runs everywhere; `sd15` is for a GPU; the cells are the same.
#
# **Next:** [01 · Text to image](01_text_to_image.ipynb), the lottery.

# %%
env.release()
