# %% [markdown]
# {{badges}}
#
# # 03 · Depth to image: keep the shape, free the colour
#
# You will send the grey man of lesson 02 to the beach after all. The model is shown how far away everything is, and
# next to nothing else of the picture; and you will measure what that buys, and what it cannot say.

# %% [markdown]
# **You will**
# - look at a picture through the eyes of a depth network, and hold its guess against the truth;
# - feed depth into the loop by hand: one more channel, and nothing else;
# - turn strength and depth, one at a time;
# - measure depth to image against image to image where both reach the beach.
#
# **You need** lessons 01 and 02, and about an hour and a half with the exercises. The cells run in about two minutes
# on two cores and take 2 GB of memory; on a Colab T4 5.6 GB of the card (computed, not yet measured), and another
# checkpoint is downloaded, of 2.8 GB.

# %% tags=["setup"]
# {{setup}}

# %% tags=["nbval-ignore-output"]
import numpy as np
import torch
from PIL import Image

from course_utils import (
    adherence, catalog, checks, clay, controls, editing, env, judge, metrics, plots, results, widgets,
)

runtime = env.start(seed=0)

# %% [markdown]
# On the map of the course: today something new is laid beside the latents, a depth map.

# %%
plots.diagram("map", here="03")

# %% [markdown]
# ## Where we stood
#
# Lesson 02 ended with a grey picture, a wish, and one knob too few. The same picture, the same wish, four seeds: once
# by the words alone, and once by image to image with so much strength that the beach appears.

# %%
settings = catalog.defaults(runtime.lane)
size = settings["height"], settings["width"]
steps, scale = settings["num_inference_steps"], settings["guidance_scale"]

def paint(pipe, prompt, picture, strength=1.0, seed=0, **more):
    how = {"num_inference_steps": steps, "guidance_scale": scale, "generator": runtime.generator(seed), **more}
    return pipe(prompt, image=picture, strength=strength, **how).images[0]

def photograph(words, seed=8):
    made = clay.render(clay.scene(seed, words=words), *size)
    return made, Image.fromarray(made.image).convert("L").convert("RGB")

made, grey = photograph("a man on the street")
wish = "a man on the beach"
plots.described(grey, "A grey picture of a man who stands on a street, both arms stretched out to the sides.")

# %%
by_words = catalog.load("text2img", lane=runtime.lane)
img2img = catalog.load("img2img", lane=runtime.lane)
worded = [by_words(wish, generator=runtime.generator(seed), **settings).images[0] for seed in range(4)]
before = [paint(img2img, wish, grey, strength=0.9, seed=seed) for seed in range(4)]
sheet = plots.sweep([worded, before], ["words alone", "image to image"], range(4), "seed", (120, 120))
plots.described(sheet, "The wish with four seeds: by the words alone, and by image to image at strength 0.9.")

# %% [markdown]
# There is colour, but where is the pose? Now the other model, **depth to image**, which came with [Stable Diffusion
# 2](https://stability.ai/news/stable-diffusion-v2-release). In plain diffusers:
#
# ```python
# from diffusers import StableDiffusionDepth2ImgPipeline
# pipe = StableDiffusionDepth2ImgPipeline.from_pretrained("sd2-community/stable-diffusion-2-depth")
# image = pipe("a man on the beach", image=grey, strength=1.0).images[0]
# ```
#
# On `clay` it is a small sister of that model, made in the same way from the model that you know. Strength is 1, so of
# the grey as good as nothing is left at the start.
#
# (On `sd15` it is the checkpoint itself. The two rows then come from two different base models, so do not give depth
# the credit for every difference. And the three lines above need transformers 4; `catalog.load` works with version 5,
# too.)

# %%
entry = catalog.checkpoint("depth2img", runtime.lane)
print(f"{entry.id}: {entry.size_gb} GB, licence {entry.licence}")
depth2img = catalog.load("depth2img", lane=runtime.lane)
after = [paint(depth2img, wish, grey, seed=seed) for seed in range(4)]
rows = ["image to image", "depth to image"]
sheet = plots.sweep([before, after], rows, [f"seed {seed}" for seed in range(4)], size=(150, 150))
plots.described(sheet, "Four seeds: above image to image, a beach and any pose; below depth to image.")

# %% [markdown]
# Does he stand there with his arms out, in the sun? We shall measure it. First: how does the model know?

# %% [markdown]
# ## The idea
#
# A picture says two things at once: *where* something is, and *what light and colour* it has. Depth is the first
# without the second. A network looks at the picture and guesses for each pixel how near it is (**monocular depth
# estimation**; Stable Diffusion 2 has MiDaS, [Ranftl et al., 2019](https://arxiv.org/abs/1907.01341)). That map is
# shrunk to the size of the latents and laid beside them as one more **channel**, at every step. The UNet was trained
# with it, so it paints what fits the depth.
#
# No colour passes through that channel. So strength can be 1: the shape does not need the given picture any more. (At
# strength 1 the latents still hold a trace of it, as lesson 02 printed. Below we measure what that trace can do.)

# %%
plots.diagram("depth", lane=runtime.lane)

# %% [markdown]
# Count the channels of what goes into the UNet: those of the latents, and one more. What comes out has as many as the
# latents, for it is a guess of their noise. Now step by step. First the network that estimates the depth: a picture
# goes in, a map comes out.

# %%
near = editing.estimate_depth(depth2img, grey)
print(tuple(near.shape))

# %% [markdown]
# The map is **inverse depth**: near is large. It is right only up to a factor and an offset: it says that one thing is
# nearer than another, not how many metres away either is. So it is shrunk to the size of the latents and stretched to
# -1 (far) to 1 (near) before the UNet gets it. The pipeline does the same:

# %% tags=["check"]
def plane(near):
    small = tuple(side // depth2img.vae_scale_factor for side in size)
    shrunk = torch.nn.functional.interpolate(near[:, None], small, mode="bicubic", align_corners=False)
    return 2 * (shrunk - shrunk.min()) / (shrunk.max() - shrunk.min()) - 1

ours = plane(near)
theirs = depth2img.prepare_depth_map(grey, None, 1, False, runtime.dtype, torch.device(runtime.device))
assert ours.shape == theirs.shape and (ours - theirs.float().cpu()).abs().max() < 0.05

# %%
from course_utils.clay.control_maps import depth_map, draw_depth

guess, coarse = draw_depth(near[0].numpy()), draw_depth(ours[0, 0].numpy())
maps = [grey, depth_map(made), guess, coarse.resize(grey.size, Image.Resampling.NEAREST)]
sheet = plots.strip(maps, ["given", "true depth", "estimated", "as the UNet gets it"], size=(180, 180))
plots.described(sheet, "The grey man; his true depth, near is bright; the network's estimate; the same, coarse.")

# %% [markdown]
# The last one is all that the UNet is told: 16 x 16 numbers on clay, 64 x 64 on sd15. Arms are in it, a smile is not.
#
# ## The loop, by hand
#
# The loop of lesson 02, with one line changed: the UNet is given `latents` *and* the plane. As there, the scheduler is
# DDIM ([Song et al., 2020](https://arxiv.org/abs/2010.02502)) for this comparison, because it draws no noise of its
# own.

# %%
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import retrieve_latents

@torch.no_grad()
def sample_with(pipe, near, picture, prompt, seed):
    generator = runtime.generator(seed)
    pixels = pipe.image_processor.preprocess(picture).to(runtime.device, runtime.dtype)
    clean = retrieve_latents(pipe.vae.encode(pixels), generator) * pipe.vae.config.scaling_factor
    pipe.scheduler.set_timesteps(steps, device=runtime.device)
    noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype).to(clean.device)
    latents = pipe.scheduler.add_noise(clean, noise, pipe.scheduler.timesteps[:1])
    words, nothing = pipe.encode_prompt(prompt, runtime.device, 1, True)
    for t in pipe.scheduler.timesteps:
        both = torch.cat([latents, plane(near).to(latents)], dim=1)  # the new line: depth as one more channel
        uncond, cond = pipe.unet(both, t, nothing).sample, pipe.unet(both, t, words).sample
        latents = pipe.scheduler.step(uncond + scale * (cond - uncond), t, latents).prev_sample
    return editing.decode(pipe, latents)

# %% tags=["check"]
with_ddim = catalog.with_scheduler(catalog.load("depth2img", lane=runtime.lane), "ddim")
by_hand = sample_with(with_ddim, near, grey, wish, seed=0)
gap = np.abs(np.asarray(by_hand, float) - np.asarray(paint(with_ddim, wish, grey, seed=0), float)).mean()
print(f"by hand and by pipeline differ by {gap:.2f} of 255")
assert gap < 3

# %% [markdown]
# The same picture. Note what goes in and what comes out: thirteen channels in, twelve out (on sd15 five and four). The
# depth is told anew at each step, and never noised.
#
# ## How right is the estimate?
#
# Everything rests on a network's guess. How good is it for this photograph, in which nobody measured? We cannot say.
# For a render we can: hold the order of near and far in the guess against the true order, by **rank correlation**
# ([Spearman, 1904](https://doi.org/10.2307/1412159)). Replace each value by its place in the order, its rank, and
# correlate the ranks. Five pixels:
#
# | pixel | true inverse depth | rank | the guess | rank |
# |---|---|---|---|---|
# | sand before him | 0.50 | 5 | 88 | 5 |
# | his hand | 0.31 | 4 | 51 | 3 |
# | his chest | 0.30 | 3 | 54 | 4 |
# | a house | 0.12 | 2 | 20 | 2 |
# | the sky | 0.00 | 1 | 3 | 1 |
#
# Two neighbours are exchanged, and the rank correlation is 0.9. It is 1 for the same order, 0 for none, and -1 for the
# opposite. That the guess counts in other numbers does not matter.
#
# What would be a bad value? Ground is below and near, sky above and far, so even the depth of *another* scene gets
# something. That is the floor. It works on both lanes, for we give either network a render.

# %% tags=["nbval-ignore-output"]
def order(made, picture):
    seen = editing.estimate_depth(depth2img, picture)[:, None]
    seen = torch.nn.functional.interpolate(seen, size, mode="bicubic")[0, 0].numpy()
    return adherence.depth_rank(1 / made.depth, seen)

scenes = [clay.render(clay.scene(seed=77, index=index), *size) for index in range(12)]
ranks = [order(one, Image.fromarray(one.image)) for one in scenes]
floor = [adherence.depth_rank(1 / a.depth, 1 / b.depth) for a, b in zip(scenes, scenes[1:] + scenes[:1], strict=True)]
print("the network's guess, 12 scenes that it was not trained on:", metrics.mean(ranks))
print("the true depth of another scene, the floor:               ", metrics.mean(floor))

# %% tags=["check"]
if runtime.lane == "clay":
    assert metrics.mean(ranks).low > 0.8 and order(made, grey) > 0.7, "the estimate is good enough to rest on"
    assert metrics.difference(floor, ranks).low > 0, "the estimate is better than another scene's depth"

# %% [markdown]
# The scene it understands worst and the one it understands best:

# %%
ends = [scenes[place] for place in (int(np.argmin(ranks)), int(np.argmax(ranks)))]
guesses = [draw_depth(editing.estimate_depth(depth2img, one.image)[0].numpy()) for one in ends]
table = [[one.image, depth_map(one), guessed] for one, guessed in zip(ends, guesses, strict=True)]
sheet = plots.sweep(table, ["worst", "best"], ["picture", "true depth", "estimated"], size=(150, 150))
plots.described(sheet, "Two scenes with true and estimated depth: the one with the worst estimate, and the best.")

# %% [markdown]
# Where did the bad one go wrong? Leave the sky out, whose depth is a matter of taste, and look at the thing itself: at
# its edges, at holes and handles, and at a front that fills the picture, where the true steps are small.
#
# ## One knob at a time
#
# **Strength.** It still says where the loop begins, and so how much of the given *colours* shows through. But now the
# shape does not hang on it.

# %%
levels = [0.4, 0.7, 1.0]
less = [paint(depth2img, wish, grey, level) for level in levels[:2]]
sheet = plots.strip([grey, *less, after[0]], ["given", *(f"strength {level}" for level in levels)], size=(160, 160))
plots.described(sheet, "The grey man, and depth to image at strength 0.4, 0.7 and 1.")

# %% [markdown]
# The more strength, the less of the grey shows through: take 1, unless you want to keep the colours. (You see it with
# one seed here.) **Depth** itself is the other knob. It need not be that of the picture. Here is another man, with
# another pose. We give the picture of the one or of the other, and the depth of the one or of the other, all four
# pairs; words and seeds stay.

# %%
other, other_grey = photograph("a man in the desert", seed=1)
pictures = {"his picture": grey, "the other's picture": other_grey}
depths = {"his depth": made, "the other's depth": other}
fields = {
    (name, whose): [paint(depth2img, wish, picture, seed=seed, depth_map=torch.from_numpy(1 / one.depth)[None])
                    for seed in range(4)]
    for name, picture in pictures.items() for whose, one in depths.items()
}  # fmt: skip

# %%
pairs = [[depth_map(one) for one in depths.values()]]
pairs += [[fields[name, whose][0] for whose in depths] for name in pictures]
sheet = plots.sweep(pairs, ["depth", *pictures], [*depths], size=(140, 140))
plots.described(sheet, "Above, the depth of each man; below, what came of his picture and of the other's with each.")

# %% [markdown]
# Whose outline is it? We know both, and count as in lesson 02 how much of each is found as an edge, on average over
# the four seeds. The floor is what the pictures by words alone have of each outline by luck.

# %% tags=["nbval-ignore-output"]
from course_utils.clay import regions

def kept(picture, made):
    edges = np.asarray(controls.canny(picture, 50, 100))[..., 0] > 0
    return adherence.edges_found(regions.borders(made.instance >= 0), edges, tolerance=size[0] / 128)

outlines = {pair: [[kept(one, man) for one in images] for man in (made, other)] for pair, images in fields.items()}
for (name, whose), (own, others) in outlines.items():
    print(f"{name}, {whose}: {np.mean(own):.2f} of his outline, {np.mean(others):.2f} of the other's")
lucky = [np.mean([kept(one, man) for one in worded]) for man in (made, other)]
print("words alone, by luck: {:.2f} of his outline, {:.2f} of the other's".format(*lucky))

# %% tags=["remove-cell"]
told = np.array(list(outlines.values())).reshape(2, 2, 2, 4)  # picture, depth, outline, seed
leads = [metrics.difference(told[k, 1 - m, m], told[k, m, m]).low for k in (0, 1) for m in (0, 1)]
assert min(leads) > 0, "each outline is found more often where its own depth was given"
by_depth = abs(told[:, 0] - told[:, 1]).mean((0, 2)).min()
assert told[1, 1, 0].mean() > lucky[0], "have much outline in common"
assert by_depth > 2 * abs(told[0].mean(-1) - told[1].mean(-1)).max(), "The depth leads, not the picture"

# %% [markdown]
# Compare along a line: each outline is found more often where its own depth was given. Now compare the two pictures
# with the same depth: it matters little which of them was given. The depth leads, not the picture. (Why is some of his
# outline found in the last line, where neither the picture nor the depth is his? Two men who stand in the middle of a
# picture have much outline in common.) With a depth map from anywhere, a render, a sketch in grey, a game, you can say
# where things are. That is why it is called a **control**.
#
# ## Against image to image
#
# A fair comparison lets both reach what was asked. At strength 0.9 image to image has its beach too. What does each of
# them keep? Three numbers, on average over the four seeds: how much beach is there, how much of the outline is kept,
# and is the order of near and far that of the given picture? The words alone are the floor.
#
# (The last number is read by the very network that led the UNet; the first two know nothing of it. And the beach is
# one by the colours of clay, so on `sd15` its number means nothing.)

# %% tags=["nbval-ignore-output"]
ways = {"words alone": worded, "image to image": before, "depth to image": after}
measured = {}
for name, images in ways.items():
    beach, outline = [adherence.beach(one) for one in images], [kept(one, made) for one in images]
    measured[name] = {"beach": beach, "outline": outline, "order": [order(made, one) for one in images]}
    print(f"{name}: " + ", ".join(f"{what} {np.mean(values):.2f}" for what, values in measured[name].items()))

# %% tags=["remove-cell"]
assert min(measured["image to image"]["beach"]) >= adherence.BEACH, "image to image has its beach too"
without, with_it = measured["image to image"], measured["depth to image"]
gains = [metrics.difference(without[key], with_it[key]) for key in ("outline", "order")]
assert min(gain.low for gain in gains) > 0, "shape is kept at full strength"
assert np.mean(measured["depth to image"]["order"]) > np.mean(measured["words alone"]["order"]), "keeps most of it"

# %% [markdown]
# By the words alone the order is already {{np.mean(measured["words alone"]["order"]):.2f}}, because beaches are alike.
# Image to image has {{np.mean(measured["image to image"]["order"]):.2f}}. Depth to image keeps most of it:
# {{np.mean(measured["depth to image"]["order"]):.2f}}.
#
# Four seeds of one picture are few. `make results` did it with sixteen, on the clay lane: sixteen men on a street, in
# sixteen poses, each asked for the beach by words alone, by image to image at eight strengths, and by depth to image.
# In this table *pose* is judged by a network that finds joints: the share that lies within a tenth of the body's size
# of where it should be. *Beach* counts the pictures that are one (0.3 and more on the measure of lesson 02).

# %%
story = results.read("beach")
strengths = sorted({row["strength"] for row in story.where(way="img2img")})

def beaches(**which):
    return story.column("beach", **which) >= adherence.BEACH

def line(name, **which):
    print(f"{name:<29} pose {story.column('pose', **which).mean():.2f}   beach {beaches(**which).sum():>2} of 16")

line("words alone", way="text2img")
for strength in strengths:
    line(f"image to image, strength {strength}", way="img2img", strength=strength)
line("depth to image", way="depth2img")

# %% [markdown]
# Two questions to this table. **First:** look for the strength at which image to image reaches the beach about *as
# often* as depth to image. Whose pose is better? **Second:** look for the strength at which it is about *as good at
# the pose*. Who reaches the beach? Find both rows before you read on.

# %% tags=["remove-cell"]
of_depth = {"pose": story.column("pose", way="depth2img"), "beach": beaches(way="depth2img")}
of_img = {at: {"pose": story.column("pose", way="img2img", strength=at),
               "beach": beaches(way="img2img", strength=at)} for at in strengths}  # fmt: skip
as_often = min(strengths, key=lambda at: abs(of_img[at]["beach"].mean() - of_depth["beach"].mean()))
as_posed = min(strengths, key=lambda at: abs(of_img[at]["pose"].mean() - of_depth["pose"].mean()))
pose_gain = metrics.difference(of_img[as_often]["pose"], of_depth["pose"])
rarely, often = metrics.rate(of_img[as_posed]["beach"]), metrics.rate(of_depth["beach"])
assert pose_gain.low > 0, "there depth to image has the better pose"
assert rarely.high < often.low, "there depth to image has more beaches"

# %% [markdown]
# As often at the beach: that is strength {{as_often}}, and there depth to image has the better pose,
# {{of_depth["pose"].mean():.2f}} against {{of_img[as_often]["pose"].mean():.2f}}. It gains {{pose_gain.value:.2f}}
# (interval {{pose_gain.low:.2f}} to {{pose_gain.high:.2f}}, by the bootstrap of lesson 02, for these are numbers).
#
# As good at the pose: that is strength {{as_posed}}, and there depth to image has more beaches,
# {{of_depth["beach"].sum()}} of 16 ({{often.low:.0%}} to {{often.high:.0%}}) against
# {{of_img[as_posed]["beach"].sum()}} of 16 ({{rarely.low:.0%}} to {{rarely.high:.0%}}, by lesson 01's interval, for
# these are counts).

# %% [markdown]
# Never trust a table that you cannot redo. One of its rows, painted again now:

# %% tags=["check", "nbval-ignore-output"]
row = story.where(way="depth2img")[0]
scene, picture = photograph(story.settings["grey"], row["seed"])
again = kept(paint(depth2img, story.settings["prompt"], picture, seed=row["seed"]), scene)
if runtime.lane == "clay":
    print(f"seed {row['seed']}: {row['outline']:.3f} of the outline in the table, {again:.3f} now")
    assert abs(again - row["outline"]) < 0.05, "the table is that of other models: make it anew"

# %% [markdown]
# ## What it cost
#
# Look at how little is new in this network:

# %%
new = depth2img.unet.conv_in.weight[:, -1].numel()
all_of_it = sum(weight.numel() for weight in depth2img.unet.parameters())
print(f"{new:,} of {all_of_it:,} weights belong to the new channel: {new / all_of_it:.3%}")

# %% [markdown]
# (The depth network comes on top.) And yet the *whole* network was trained on, so that it listens to them. For Stable
# Diffusion 2 that took more than 12 million pictures and thousands of hours on A100 cards ([Zhang et al.,
# 2023](https://arxiv.org/abs/2302.05543)). The result knows depth and nothing else: for edges, for poses, for each
# further wish somebody would have to do it again, and you would store another whole model.
#
# The next lesson has another way. Lock the network, train a copy of its first half beside it. A depth control then
# took 200,000 pictures and five days on one card. In lesson 09 you train a small one yourself, for another kind of
# map.

# %% [markdown]
# ## What depth cannot say
#
# **What is flat has no depth of its own.** A painting is a board, and what is painted on it is colour, of which depth
# says nothing. We give the true depth here: a network may be fooled, and see the painted scene as deep. Nor do the
# words name the lion. The last picture is a test: the same depth and seed, and an empty grey picture in place of the
# given one.

# %%
easel = clay.render(clay.scene(2, words="a painting of a lion in a room"), *size)
true_depth = torch.from_numpy(1 / easel.depth)[None]
empty = Image.new("RGB", size[::-1], "grey")
repainted = paint(depth2img, "a painting in a room", Image.fromarray(easel.image), depth_map=true_depth)
invented = paint(depth2img, "a painting in a room", empty, depth_map=true_depth)
titles = "given", "its depth", "made of it", "made of a grey picture"
sheet = plots.strip([easel.image, depth_map(easel), repainted, invented], titles, size=(180, 180))
plots.described(sheet, "A painting of a lion; its depth, a plain board; what was made of it, and of an empty picture.")

# %% tags=["remove-cell"]
trace = np.abs(np.asarray(repainted, float) - np.asarray(invented, float)).mean()
assert not judge.look(repainted).has("lion"), "The lion is gone"
assert trace < 20, "no more, with this seed, came through the noise"

# %% [markdown]
# The lion is gone. What stands on the board now is invented, for nearly the same comes of a picture in which there was
# never a lion. The two pictures differ by {{trace:.0f}} of 255 on average: no more, with this seed, came through the
# noise.
#
# **And a shape does not let go.** Take the man's depth once more, and let the words ask for a car. Then take the same
# man in a room: behind him is a wall, and a beach has none.

# %%
cars = [paint(depth2img, "a car on the beach", grey, seed=seed) for seed in range(4)]
indoors, room_grey = photograph("a man in a room")
walled = paint(depth2img, wish, room_grey)
wall = draw_depth(editing.estimate_depth(depth2img, room_grey)[0].numpy())
titles = [*4 * ["asked: a car"], "given", "its depth", "asked: a beach"]
sheet = plots.strip([*cars, room_grey, wall, walled], titles, size=(115, 115))
plots.described(sheet, "Four times a car asked for with a man's depth; then the man in a room, asked for a beach.")

# %% tags=["remove-cell"]
free = [by_words("a car on the beach", generator=runtime.generator(at), **settings).images[0] for at in range(4)]
motor, stuck = ([judge.look(shot).has("car") for shot in shots] for shots in (free, cars))
assert sum(stuck) <= 1 < sum(motor), "The man did not give way"
assert adherence.is_beach(walled), "A wall did"

# %% [markdown]
# The man did not give way: with his depth {{sum(stuck)}} of {{len(cars)}} pictures show a car, where the words alone
# give {{sum(motor)}}. The words cannot have what the shape does not allow. Look at what came instead. A wall did: so
# smooth a depth may mean many things, and the words choose.
#
# So depth holds fast what has a shape of its own, wanted or not. To hold only the man's pose you would need a control
# that says nothing of the rest. There is one, in the next lesson.

# %% [markdown]
# ## The panel
#
# Choose or upload a picture, press **Preview** and see both depths side by side (the true one of clay scenes only),
# then **Generate**. The code presses the button once for you.

# %% tags=["widget", "nbval-ignore-output"]
cat = widgets.PictureSource("scene", "a cat with a hat on the street", seed=3)
panel = widgets.depth2img_panel(depth2img, runtime, prompt="a red cat with a blue hat in the snow", picture=cat)
panel.generate.click()
panel.wait()
panel

# %% tags=["nbval-ignore-output"]
plots.described(panel.picture(), "The panel: the picture, its estimated and its true depth, knobs, a result.")

# %% [markdown]
# ## Exercises
#
# ### 03.1 · Draw a depth map (difficulty 2, 10 minutes)
#
# A depth map need not come from a picture. Draw one: write `drawn(height, width)`, an array of inverse depth from 0 to
# 1. The upper half is sky, so 0. Below, the ground comes nearer from row to row, up to 1 at the lower edge. In the
# middle of the picture stands a disc, upright like a plate, with a radius of a quarter of the height: all of it is as
# near as 0.8.

# %% tags=["exercise"]
def drawn(height, width):
    return None  # your lines

checks.check("03.1", drawn)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `y, x = np.indices((height, width))` gives the row and the column of each pixel. `np.clip(..., 0, 1)` cuts what is
# below 0. A pixel is in the disc if its distance from the middle is at most the radius.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def drawn(height, width):
#     y, x = np.indices((height, width))
#     near = np.clip((y - height / 2) / (height / 2 - 1), 0, 1)
#     near[(y - height / 2) ** 2 + (x - width / 2) ** 2 <= (height / 4) ** 2] = 0.8
#     return near
# ```
# </details>
#
# Then paint with it: the model sees no picture at all, only such a map. Here is one with a slope and a box, made of
# two lines; put your own in its place, and change the words.

# %%
sketch = np.repeat(np.linspace(-1, 1, size[0]).clip(0)[:, None], size[1], axis=1)
sketch[size[0] // 3 : 3 * size[0] // 4, size[1] // 3 : 2 * size[1] // 3] = 0.8
wishes = ["a blue box on the beach", "a red suitcase in the snow", "a yellow house in the garden"]
imagined = [paint(depth2img, each, empty, depth_map=torch.from_numpy(sketch).float()[None]) for each in wishes]
sheet = plots.strip([draw_depth(sketch), *imagined], ["sketch", *wishes], size=(150, 150))
plots.described(sheet, "A depth map of a slope and a box, drawn by hand, and three pictures painted from it.")

# %% [markdown]
# ### 03.2 · A factor and an offset (difficulty 2, 8 minutes)
#
# The network's map is right up to a factor and an offset, so before anybody may ask how far off it is, both have to be
# found, as its makers do ([Ranftl et al., 2019](https://arxiv.org/abs/1907.01341)). Write `aligned(near, true)` for
# two arrays [height, width] of inverse depth, a guess and the truth: the guess times a factor, plus an offset, so that
# the mean squared difference from the truth is as small as it can be.

# %% tags=["exercise"]
def aligned(near, true):
    return None  # your lines

checks.check("03.2", aligned)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# A straight line through points, with the guess along x: `np.polyfit(x, y, 1)`. It wants flat arrays: `.ravel()`.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def aligned(near, true):
#     factor, offset = np.polyfit(near.ravel(), true.ravel(), 1)
#     return factor * near + offset
# ```
# </details>
#
# ### 03.3 · One more channel (difficulty 2, 8 minutes)
#
# You have a trained text-to-image model and want to train on, with depth. Its first convolution has weights [out, in,
# height, width]. Write `widened(weight)`: the same for one more channel in, the last, so that on the first day the
# model paints what it painted before, whatever the depth says.

# %% tags=["exercise"]
def widened(weight):
    return None  # your lines

checks.check("03.3", widened)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# What must a number be multiplied by to say nothing? `torch.zeros_like` and `torch.cat(..., dim=1)` will do.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def widened(weight):
#     return torch.cat([weight, torch.zeros_like(weight[:, :1])], dim=1)
# ```
# </details>
#
# ### 03.4 · Rank correlation (difficulty 3, 10 minutes)
#
# Write `rank_correlation(a, b)` of two arrays without equal values: the correlation of their *ranks*.

# %% tags=["exercise"]
def rank_correlation(a, b):
    return None  # your lines

checks.check("03.4", rank_correlation)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `argsort` says who is first, second, third. `argsort` of that says who has which rank. Then `np.corrcoef(...)[0, 1]`.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# import numpy as np
#
# def rank_correlation(a, b):
#     ranks = [np.ravel(one).argsort().argsort() for one in (a, b)]
#     return np.corrcoef(*ranks)[0, 1]
# ```
# </details>
#
# ### 03.5 · What does depth keep? (open, difficulty 3, 15 minutes)
#
# Take a picture of your own, and words that name neither what is in it nor its colours. **Predict** of two of its
# properties or more whether they come through, at strength 1: at least one that you expect depth to keep, and one that
# you expect to be lost. **Run** eight seeds or more with your picture's depth, and, as a control, the same seeds with
# the depth of quite another picture: what comes with that as well, the depth did not bring. **Measure** with the
# judge or with `kept`, or, on sd15, with your eyes. `experiment()` gives three things: the prompt, your guess,
# `{property: True or False, ...}`, and what you saw, `{property: (own, other), ...}`, each a list of True and False.
# With two seeds in place of eight it would look like this:
#
# ```python
# "in the snow", {"lion": True, "green": False}, {"lion": ([True, True], [False, False]), "green": ...}
# ```
#
# Then **explain** it, with a picture that shows it.

# %% tags=["exercise"]
def experiment():
    return None  # your words, your guess, and what you saw

checks.check("03.5", experiment)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `Image.fromarray(photograph(...)[0].image)` is a picture in colour. `paint(depth2img, words, picture, seed=seed)`
# looks at its depth.
# </details>
# <details><summary>Solution</summary>
#
# One of many, with guesses that are only ours. It paints 16 pictures.
#
# ```python
# def experiment():
#     words, guess = "in the snow", {"outline": True, "lion": True, "green": False}
#     scenes = [photograph(shown)[0] for shown in ("a green lion on the street", "a blue car on the street")]
#     seen = {name: ([], []) for name in guess}
#     for which, scene in enumerate(scenes):
#         for seed in range(8):
#             image = paint(depth2img, words, Image.fromarray(scene.image), seed=seed)
#             sight = judge.look(image)
#             seen["outline"][which].append(kept(image, scenes[0]) > kept(image, scenes[1]))
#             seen["lion"][which].append(sight.has("lion"))
#             seen["green"][which].append(any(thing.colour == "green" for thing in sight.things))
#     return words, guess, seen
# ```
# </details>

# %% [markdown]
# ## Words of this lesson
#
# - **depth to image**: sampling with a depth map beside the latents; also depth2img.
# - **monocular depth estimation**: guessing depth from a single picture.
# - **inverse depth**: one over the distance: near is large, and the sky is zero.
# - **channel**: one layer of a picture or of latents, as red is one of three in a photograph.
# - **rank correlation**: how far two lists agree in their order, from -1 to 1; also Spearman's.
# - **control**: in this course, whatever says where or how, besides the words.
#
# ## Read on
#
# - [Towards Robust Monocular Depth Estimation](https://arxiv.org/abs/1907.01341), Ranftl et al., 2019: MiDaS, the
#   depth network of Stable Diffusion 2.
# - [Depth Anything V2](https://arxiv.org/abs/2406.09414), Yang et al., 2024: what such networks have become.
# - [Depth to image](https://huggingface.co/docs/diffusers/using-diffusers/depth2img) in diffusers.
#
# ## To take with you
#
# - Depth says where things are and nothing of their colours: shape is kept at full strength, and the beach appears.
# - It goes in as one more channel, at every step; the depth map leads, wherever it comes from.
# - It holds fast what has a shape of its own, wanted or not; what is painted on a flat thing is lost; and the whole
#   network was trained again for it.
#
# **Next:** lesson 04, ControlNet: edges, lines, scribbles, poses, classes, normals, and depth, each by a copy of half
# the network.

# %%
env.release()
