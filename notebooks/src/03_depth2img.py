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
# **You need** lessons 01 and 02. About a minute and a half on two cores and 2 GB of memory; on a Colab T4
# 5.6 GB of the card (computed, not yet measured), and the download of another checkpoint.

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
# Lesson 02 ended with a grey picture, a wish, and one knob too few. The same picture, the same wish, four seeds, and
# so much strength that the beach appears:

# %%
settings = catalog.defaults(runtime.lane)
size = settings["height"], settings["width"]
steps, scale = settings["num_inference_steps"], settings["guidance_scale"]

def paint(prompt, picture, strength=1.0, seed=0, **more):
    how = {"num_inference_steps": steps, "guidance_scale": scale, "generator": runtime.generator(seed), **more}
    return pipe(prompt, image=picture, strength=strength, **how).images[0]

def photograph(words, seed=8):
    made = clay.render(clay.scene(seed, words=words), *size)
    return made, Image.fromarray(made.image).convert("L").convert("RGB")

made, grey = photograph("a man on the street")
wish = "a man on the beach"

# %%
pipe = catalog.load("img2img", lane=runtime.lane)
before = [paint(wish, grey, strength=0.9, seed=seed) for seed in range(4)]
sheet = plots.strip([grey, *before], ["given", *(f"seed {seed}" for seed in range(4))], size=(150, 150))
plots.described(sheet, "The grey man with his arms out; image to image at strength 0.9, four seeds: other poses.")

# %% [markdown]
# There is colour, but where is the pose? Now the other model, **depth to image**, which came with [Stable Diffusion
# 2](https://stability.ai/news/stable-diffusion-v2-release). In plain diffusers (with transformers 4: its index names a
# class that version 5 has dropped, and `catalog.load` knows the new name):
#
# ```python
# from diffusers import StableDiffusionDepth2ImgPipeline
# pipe = StableDiffusionDepth2ImgPipeline.from_pretrained("sd2-community/stable-diffusion-2-depth")
# image = pipe("a man on the beach", image=grey, strength=1.0).images[0]
# ```
#
# On `sd15` that is Stable Diffusion 2's depth checkpoint, a download of its own. It stands on another base than your
# lessons so far, so there a difference between the two rows is not the depth's alone. On `clay` it is a small sister
# of it, made in the same way from the model that you know. Strength is 1, so of the grey as good as nothing is left at
# the start.

# %%
entry = catalog.checkpoint("depth2img", runtime.lane)
print(f"{entry.id}: {entry.size_gb} GB, licence {entry.licence}")
pipe = catalog.load("depth2img", lane=runtime.lane)
after = [paint(wish, grey, seed=seed) for seed in range(4)]
rows = ["image to image", "depth to image"]
sheet = plots.sweep([before, after], rows, [f"seed {seed}" for seed in range(4)], size=(150, 150))
plots.described(sheet, "Four seeds: above image to image, a beach and any pose; below depth to image.")

# %% [markdown]
# Does he stand there with his arms out, in the sun? We shall measure it. (His face is another matter: it is two or
# three places of the latents wide, and the depth map does not know it, so an eye may be missing.) First: how does the
# model know?

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
# strength 1 the latents still hold a trace of it, as lesson 02 printed. What that trace can do is measured at the
# end.)

# %%
plots.diagram("depth", lane=runtime.lane)

# %% [markdown]
# Count the channels of what goes into the UNet: those of the latents, and one more. What comes out has as many as the
# latents, for it is a guess of their noise. Now step by step. First the network that estimates the depth:

# %%
@torch.no_grad()
def see(picture):
    pixels = pipe.feature_extractor(images=[picture], return_tensors="pt").pixel_values
    with torch.autocast(runtime.device, runtime.dtype, enabled=runtime.dtype != torch.float32):  # mixed, on a GPU
        return pipe.depth_estimator(pixels.to(runtime.device, runtime.dtype)).predicted_depth.float().cpu()  # 1, h, w

# %% [markdown]
# What comes out is **inverse depth**: near is large. It is right only up to a factor and an offset: it says that one
# thing is nearer than another, not how many metres away either is. So the map is stretched to -1 (far) to 1 (near)
# before the UNet gets it. The pipeline does the same:

# %% tags=["check"]
def plane(near):
    small = tuple(side // pipe.vae_scale_factor for side in size)
    shrunk = torch.nn.functional.interpolate(near[:, None], small, mode="bicubic", align_corners=False)
    return 2 * (shrunk - shrunk.min()) / (shrunk.max() - shrunk.min()) - 1

seen = plane(see(grey))
with torch.no_grad():
    estimated = pipe.prepare_depth_map(grey, None, 1, False, runtime.dtype, torch.device(runtime.device))
assert seen.shape == estimated.shape and (seen - estimated.float().cpu()).abs().max() < 0.05

# %%
from course_utils.clay.control_maps import depth_map, draw_depth

guess, coarse = draw_depth(see(grey)[0].numpy()), draw_depth(seen[0, 0].numpy())
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
def sample_with(near, picture, prompt, seed):
    generator = runtime.generator(seed)
    pixels = pipe.image_processor.preprocess(picture).to(runtime.device, runtime.dtype)
    clean = retrieve_latents(pipe.vae.encode(pixels), generator) * pipe.vae.config.scaling_factor
    pipe.scheduler.set_timesteps(steps, device=runtime.device)
    noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype).to(clean.device)
    latents = pipe.scheduler.add_noise(clean, noise, pipe.scheduler.timesteps[:1])
    words, nothing = pipe.encode_prompt(prompt, runtime.device, 1, True)
    for t in pipe.scheduler.timesteps:
        shown = torch.cat([latents, plane(near).to(latents)], dim=1)
        uncond, cond = pipe.unet(shown, t, nothing).sample, pipe.unet(shown, t, words).sample
        latents = pipe.scheduler.step(uncond + scale * (cond - uncond), t, latents).prev_sample
    return editing.decode(pipe, latents)

# %% tags=["check"]
pipe = catalog.with_scheduler(catalog.load("depth2img", lane=runtime.lane), "ddim")
by_hand, by_pipeline = sample_with(see(grey), grey, wish, seed=0), paint(wish, grey, seed=0)
gap = np.abs(np.asarray(by_hand, float) - np.asarray(by_pipeline, float)).mean()
print(f"by hand and by pipeline differ by {gap:.2f} of 255")
assert gap < 3
pipe = catalog.load("depth2img", lane=runtime.lane)  # back to the scheduler that it ships with

# %% [markdown]
# The same picture. Note what goes in and what comes out: thirteen channels in, twelve out (on sd15 five and four). The
# depth is told anew at each step, and never noised.
#
# ## How right is the estimate?
#
# Everything rests on a network's guess. For a photograph nobody could say how good it is. For a render we can: the
# order of near and far in the guess against the true order, by **rank correlation** ([Spearman,
# 1904](https://doi.org/10.2307/1412159)): 1 is the same order. But ground is below and near, sky above and far, so
# even the depth of *another* scene gets something. That is the floor here. (The sky counts, too, and order within it
# means nothing: 1 is out of reach.) It works on both lanes, for we give either network a render; the one of `sd15` has
# learned from photographs.

# %% tags=["check", "nbval-ignore-output"]
def order(made, picture):
    near = see(picture)[:, None]
    near = torch.nn.functional.interpolate(near, size, mode="bicubic")[0, 0].cpu().numpy()
    return adherence.depth_rank(1 / made.depth, near)

scenes = [clay.render(clay.scene(seed=77, index=index), *size) for index in range(12)]
ranks = [order(one, Image.fromarray(one.image)) for one in scenes]
luck = [adherence.depth_rank(1 / a.depth, 1 / b.depth) for a, b in zip(scenes, scenes[1:] + scenes[:1], strict=True)]
print("rank correlation, 12 scenes that no network was trained on:", metrics.mean(ranks))
print("the true depth of the next scene instead:", metrics.mean(luck))
print(f"the grey picture: {order(made, grey):.3f}")
if runtime.lane == "clay":
    assert metrics.mean(ranks).low > 0.8 and order(made, grey) > 0.7, "the estimate is good enough to rest on"
    assert metrics.difference(luck, ranks).low > 0, "the estimate is better than another scene's depth"

# %% [markdown]
# The scene it understands worst and the one it understands best:

# %% tags=["check"]
ends = [scenes[place] for place in (int(np.argmin(ranks)), int(np.argmax(ranks)))]
guesses = [draw_depth(see(Image.fromarray(one.image))[0].numpy()) for one in ends]
table = [[one.image, depth_map(one), seen_so] for one, seen_so in zip(ends, guesses, strict=True)]
sheet = plots.sweep(table, ["worst", "best"], ["picture", "true depth", "estimated"], size=(150, 150))
worst = ends[0].scene.things[0].word
near = worst == "suitcase" and (ends[0].instance >= 0).mean() > 0.25
checks.claim(runtime.lane, near, "it is a suitcase from so near that its front fills the picture")
plots.described(sheet, "Two scenes with true and estimated depth: the one with the worst estimate, and the best.")

# %% [markdown]
# Where did the bad one go wrong? Not at the sky, whose depth is a matter of taste, but at the thing itself. On clay it
# is a suitcase from so near that its front fills the picture: there the true steps are small, and the network blurs
# them; and it fills the hole below the handle.
#
# ## One knob at a time
#
# **Strength.** It still says where the loop begins, and so how much of the given *colours* shows through. But now the
# shape does not hang on it.

# %%
levels = [0.4, 0.7, 1.0]
less = [paint(wish, grey, level) for level in levels[:2]]
sheet = plots.strip([grey, *less, after[0]], ["given", *(f"strength {level}" for level in levels)], size=(170, 170))
plots.described(sheet, "The grey man, and depth to image at strength 0.4, 0.7 and 1: the grey goes with the strength.")

# %% [markdown]
# So with depth to image take 1, unless you want to keep the colours. **Depth** itself is the other knob. It need not
# be that of the picture. Seed, words and picture stay; the depth is once estimated, once true, and once that of quite
# another scene.

# %%
other = clay.render(clay.scene(1, words="a man in the desert"), *size)
truths = [torch.from_numpy(1 / one.depth)[None] for one in (made, other)]
led = [[paint(wish, grey, seed=seed, depth_map=near) for seed in range(4)] for near in truths]
given, came = [guess, depth_map(made), depth_map(other)], [after[0], led[0][0], led[1][0]]
names = ["estimated", "true", "of another scene"]
sheet = plots.sweep([given, came], ["depth", "made"], names, size=(160, 160))
plots.described(sheet, "Above, depth: estimated, true, of a man with raised arms; below, what it led to.")

# %% [markdown]
# Whose outline is it? We know both, and count as in lesson 02 how much of each is found as an edge; four seeds.

# %% tags=["check", "nbval-ignore-output"]
from course_utils.clay import regions

def kept(picture, made):
    edges = np.asarray(controls.canny(picture, 50, 100))[..., 0] > 0
    return adherence.edges_found(regions.borders(made.instance >= 0), edges, tolerance=size[0] / 128)

found = np.array([[[kept(one, scene) for one in images] for scene in (made, other)] for images in led])
print("his depth given: {:.2f} of his outline, {:.2f} of the other's".format(*found[0].mean(1)))
print("the other's given: {:.2f} of his outline, {:.2f} of the other's".format(*found[1].mean(1)))
leads = metrics.difference(found[1, 0], found[0, 0]), metrics.difference(found[0, 1], found[1, 1])
checks.claim(runtime.lane, min(lead.low for lead in leads) > 0,
             "each outline is found more often where its own depth was given")  # fmt: skip

# %% [markdown]
# Compare upper with lower: each outline is found more often where its own depth was given. The depth leads, not the
# picture. With a depth map from anywhere, a render, a sketch in grey, a game, you can say where things are. That is
# why it is called a **control**.
#
# ## Against image to image
#
# A fair comparison lets both reach what was asked. At strength 0.9 image to image has its beach too. What does each of
# them keep? Three numbers for each of the four seeds: how much beach is there, how much of the outline is kept, and is
# the order of near and far that of the given picture? (The last is read by the very network that led the UNet; the
# first two know nothing of it. Beaches and bars are those of clay, so on `sd15` nothing is printed.)

# %% tags=["check", "nbval-ignore-output"]
measures = {"beach": adherence.beach, "outline": lambda one: kept(one, made), "depth": lambda one: order(made, one)}
found = {name: [[measure(one) for one in images] for images in (before, after)] for name, measure in measures.items()}
gained = {name: metrics.difference(*both) for name, both in found.items()}
for name, both in found.items() if runtime.lane == "clay" else ():
    print("{}: {:.2f} and {:.2f};".format(name, *map(np.mean, both)), "gained", gained[name])
checks.claim(runtime.lane, min(map(min, found["beach"])) >= adherence.BEACH, "image to image has its beach too")
kept_more = min(gained[name].low for name in ("outline", "depth"))
checks.claim(runtime.lane, kept_more > 0, "shape is kept at full strength")
by_luck = np.mean(found["depth"][0]) - np.mean(luck)
checks.claim(runtime.lane, by_luck < 0.2, "hardly more than what another scene got by luck")

# %% [markdown]
# The order of depths that image to image keeps, {{np.mean(found["depth"][0]):.2f}}, is hardly more than what another
# scene got by luck, {{np.mean(luck):.2f}}.
#
# Four seeds of one picture. `make results` did it with sixteen, on the clay lane: sixteen men on a street, in sixteen
# poses, each asked for the beach by words alone, by image to image at eight strengths, by depth to image, and by the
# pose control of lesson 04. The pose is judged by a network that finds joints: the share that lies within a tenth of
# the body's size of where it should be.
#
# Here *beach* is the share of the pictures that count as one (0.3 and more on the measure of lesson 02,
# `adherence.BEACH`), and lesson 04 will use the word in the same way. Two questions to that table. Take the strength
# at which image to image reaches the beach **as often**: whose pose is better? And the one at which it is **as good at
# the pose**: who reaches the beach?

# %% tags=["check"]
story = results.read("beach")
strengths = sorted({row["strength"] for row in story.where(way="img2img")})

def reached(column, **which):
    values = story.column(column, **which)
    return (values >= adherence.BEACH).astype(float) if column == "beach" else values

print(f"by words alone: pose {reached('pose', way='text2img').mean():.2f}")
for matched, compared in (("beach", "pose"), ("pose", "beach")):
    goal, with_depth = (reached(column, way="depth2img") for column in (matched, compared))
    tried = {one: reached(matched, way="img2img", strength=one).mean() for one in strengths}
    alike = min(strengths, key=lambda one: abs(tried[one] - goal.mean()))
    without_depth = reached(compared, way="img2img", strength=alike)
    gain = metrics.difference(without_depth, with_depth)
    print(f"{matched}: {tried[alike]:.2f} by image to image at strength {alike}, {goal.mean():.2f} by depth to image.")
    print(f"    Then {compared} is {without_depth.mean():.2f} and {with_depth.mean():.2f}: gained {gain}")
    assert gain.low > 0 and abs(tried[alike] - goal.mean()) < 0.05, "matched, and better"

# %% [markdown]
# Never trust a table that you cannot redo. One of its rows, painted again now:

# %% tags=["check", "nbval-ignore-output"]
row = story.where(way="depth2img")[0]
scene, picture = photograph(story.settings["grey"], row["seed"])
again = kept(paint(story.settings["prompt"], picture, seed=row["seed"]), scene)
if runtime.lane == "clay":
    print(f"seed {row['seed']}: {row['outline']:.3f} of the outline in the table, {again:.3f} now")
    assert abs(again - row["outline"]) < 0.05, "the table is that of other models: make it anew"

# %% [markdown]
# ## What it cost
#
# Look at how little is new in this network:

# %%
new, all_of_it = pipe.unet.conv_in.weight[:, -1].numel(), sum(weight.numel() for weight in pipe.unet.parameters())
print(f"{new:,} of {all_of_it:,} weights belong to the new channel: {new / all_of_it:.3%}")

# %% [markdown]
# (The depth network comes on top.) And yet the *whole* network was trained on, so that it listens to them. For Stable
# Diffusion 2 that took more than 12 million pictures and thousands of hours on A100 cards ([Zhang et al.,
# 2023](https://arxiv.org/abs/2302.05543); the video says over 2,000). The result knows depth and nothing else: for
# edges, for poses, for each further wish somebody would have to do it again, and you would store another whole model.
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

# %% tags=["check", "nbval-ignore-output"]
easel = clay.render(clay.scene(2, words="a painting of a lion in a room"), *size)
true_depth = torch.from_numpy(1 / easel.depth)[None]
given = Image.fromarray(easel.image), Image.new("RGB", size[::-1], "grey")
repainted, invented = (paint("a painting in a room", one, depth_map=true_depth) for one in given)
trace = np.abs(np.asarray(repainted, float) - np.asarray(invented, float)).mean()
print(f"made of the painting and made of nothing differ by {trace:.0f} of 255")
checks.claim(runtime.lane, lambda: not judge.look(repainted).has("lion"), "The lion is gone")
checks.claim(runtime.lane, trace < 20, "no more, with this seed, came through the noise")
names = "given", "its depth", "made of it", "made of a grey picture"
sheet = plots.strip([easel.image, depth_map(easel), repainted, invented], names, size=(190, 190))
plots.described(sheet, "A painting of a lion; its depth, a plain board; what was made of it, and of an empty picture.")

# %% [markdown]
# The lion is gone. What stands on the board now is invented, for the same lump comes of a picture in which there was
# never a lion; so does the colour of the frame. The two pictures differ by {{trace:.0f}} of 255 on average: no more,
# with this seed, came through the noise.
#
# **And a shape does not let go.** First the same man in a room: behind him is a wall, and a beach has none. Then the
# man's depth once more, but the words ask for a car.

# %% tags=["check", "nbval-ignore-output"]
indoors, room_grey = photograph("a man in a room")
walled, wall = paint(wish, room_grey), draw_depth(see(room_grey)[0].numpy())
cars = [paint("a car on the beach", grey, seed=seed) for seed in range(4)]
if runtime.lane == "clay":
    free = catalog.load("text2img", lane=runtime.lane)
    driven = [free("a car on the beach", generator=runtime.generator(seed), **settings).images[0] for seed in range(4)]
    seen_cars = [sum(judge.look(one).has("car") for one in images) for images in (driven, cars)]
    print(f"before a wall: beach {adherence.beach(walled):.2f}")
    print(f"cars: {seen_cars[0]} of 4 by the words alone, {seen_cars[1]} of 4 with a man's depth")
    assert indoors.depth.max() < made.depth.max(), "a room ends at its wall"
    checks.claim(runtime.lane, adherence.is_beach(walled), "The wall gave way")
    checks.claim(runtime.lane, seen_cars[1] <= 1 < seen_cars[0], "The man did not")
named = ["given", "its depth", "asked: a beach", "asked: a car", "asked: a car"]
sheet = plots.strip([room_grey, wall, walled, *cars[:2]], named, size=(150, 150))
plots.described(sheet, "The man in a room; his depth and the wall's; asked for a beach; twice asked for a car.")

# %% [markdown]
# The wall gave way: so smooth a depth may mean many things, and the words choose. The man did not: on clay
# {{seen_cars[1]}} of 4 tries show a car, where the words alone give {{seen_cars[0]}}. The words cannot have what the
# shape does not allow. Look at what came instead. A depth map is a wish for *everything* in the picture. To hold only
# the man's pose you would need a control that says nothing of the rest. There is one, in the next lesson.

# %% [markdown]
# ## The panel
#
# Choose or upload a picture, press **Preview** and see both depths side by side (the true one of clay scenes only),
# then **Generate**. The code presses the button once for you.

# %% tags=["widget", "nbval-ignore-output"]
cat = widgets.PictureSource("scene", "a cat with a hat on the street", seed=3)
panel = widgets.depth2img_panel(pipe, runtime, prompt="a red cat with a blue hat in the snow", picture=cat)
panel.generate.click()
panel.wait()
panel

# %% tags=["nbval-ignore-output"]
plots.described(panel.picture(), "The panel: the picture, its estimated and its true depth, knobs, a result.")

# %% [markdown]
# ## Exercises
#
# ### 03.1 · Near is large (difficulty 1, 3 minutes)
#
# A render's `depth` is in metres: far is large, and the sky is very far. Write `nearness(depth)`: inverse depth, of
# an array [height, width].

# %% tags=["exercise"]
def nearness(depth):
    return None  # your line

checks.check("03.1", nearness)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# "Inverse" is meant as in arithmetic. `-depth` has the right order, and spends nearly its whole range on the sky.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def nearness(depth):
#     return 1 / depth
# ```
# </details>
#
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
# Then **explain** it, with a picture that shows it.

# %% tags=["exercise"]
def experiment():
    return None  # your words, your guess, and what you saw

checks.check("03.5", experiment)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `Image.fromarray(photograph(...)[0].image)` is a picture in colour. `paint(words, picture, seed=seed)` looks at its
# depth.
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
#             image = paint(words, Image.fromarray(scene.image), seed=seed)
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
# - It is a wish for the whole picture, what is painted on a flat thing is lost, and the whole network was trained
#   again for it.
#
# **Next:** lesson 04, ControlNet: edges, lines, scribbles, poses, classes, normals, and depth, each by a copy of half
# the network.

# %%
env.release()
