# %% [markdown]
# {{badges}}
#
# # 11 · Video, frame by frame
#
# A film is many pictures, and you can steer each of them. Do it, and the man changes his shirt six times a second.
# In this lesson you measure flicker exactly, climb a ladder of cures, and learn what each of them costs.

# %% [markdown]
# **You will**
# - paint a walking man frame by frame, and see him flicker;
# - measure flicker with exact motion, and find three ways to cheat the measure;
# - write cross-frame attention, and a frame that begins with the one before it;
# - take a median along the motion, and try it with a motion that is only guessed;
# - make a GIF and an MP4 of your own clip.
#
# **You need** lessons 02, 04, 06 and 08. About a minute on two cores and 1.7 GB of memory. Nobody has timed it on a
# Colab T4 yet.

# %% tags=["setup"]
# {{setup}}

# %% tags=["nbval-ignore-output"]
import numpy as np
import torch
from PIL import Image

from course_utils import catalog, checks, env, metrics, personalize, plots, results, video, widgets
from course_utils.attention.hooks import replaced_processors
from course_utils.personalize import pretrained

runtime = env.start(seed=0)

# %% [markdown]
# On the map of the course: a control for a picture (ControlNet, [Zhang et al.,
# 2023](https://arxiv.org/abs/2302.05543), lesson 04), and now for every picture of a film.

# %%
plots.diagram("map", here="11")

# %% [markdown]
# ## The idea
#
# The video that this course retells says it in one sentence: go frame by frame, and *it flickers; this is still to be
# solved*. How much of it can be solved today? We take a short clip, paint it in ever better ways, and measure each of
# them. The clip: a man walks, and the camera follows him half the way. `clip` holds the frames, and `maps` a depth map
# for each, drawn from the truth of the scene (lesson 04):

# %%
settings = catalog.defaults(runtime.lane)
words, size = "a man in the garden", (settings["height"], settings["width"])
clip = video.moving(words, "walk", 6, *size)
maps = clip.maps("depth")
numbers = [f"frame {number}" for number in range(len(clip))]
plots.described(
    plots.sweep([clip.frames, maps], ["what the camera saw", "depth"], numbers, size=(120, 120)),
    "Six frames of a man who walks to the right across a garden; below them their depth maps.",
)

# %% [markdown]
# ## Where did each pixel go?
#
# To say that something flickers you must know what moved. **Optical flow** is an arrow for each pixel: where is this
# point in the next frame? For a film of the world it must be guessed. Our scene is made of known parts, so
# `clip.flow(a, b)` computes it, and also says whether the point is still to be *seen* there: an arm may have covered
# it.
#
# With the flow, one frame can be **pulled** onto another: each pixel of frame 0 takes what stands in frame 1 where it
# went to. (Papers call this **warping**.)

# %%
flow, visible = clip.flow(0, 1)
pulled = video.pull(clip.frames[1], flow)
print(f"{visible.mean():.1%} of the points are still to be seen; the longest way is {np.abs(flow).max():.0f} pixels")
length = np.linalg.norm(flow, axis=-1)
shown = np.where(visible[..., None], pulled, 255).round().astype(np.uint8)
plots.described(
    plots.strip([clip.frames[0], clip.frames[1], plots.overlay(clip.frames[0], length / length.max()), shown],
                ["frame 0", "frame 1", "how far each pixel goes", "frame 1, pulled onto 0"], size=(150, 150)),
    "Two frames; the arrows' lengths; frame 1 pulled onto frame 0, its hidden points white.",
)

# %% [markdown]
# What is white was covered or has left the frame. All else should now be frame 0.
#
# ## The measure
#
# Flicker is what remains. Pull each frame onto the one before it, take the squared difference of colours where both
# show the point, and average: over the three colours, over the points, over the pairs of frames. This is the **warping
# error** ([Lai et al., 2018](https://arxiv.org/abs/1808.00449)). They must estimate the flow and which points are
# hidden; we know both.

# %%
def flicker(frames):
    errors = []
    for number in range(len(frames) - 1):
        flow, visible = clip.flow(number, number + 1)
        apart = (video.pull(frames[number + 1], flow) - np.asarray(frames[number], float)) / 255
        errors.append((apart[visible] ** 2).mean())
    return 100 * np.mean(errors)  # times 100, as in the papers' tables

print(f"the true renders: {flicker(clip.frames):.2f}")

# %% [markdown]
# As a formula it is the same:
#
# $$E = \frac{1}{T-1}\sum_t \frac{\sum_p M_t(p)\,\tfrac13\lVert \tilde O_{t+1}(p) - O_t(p)\rVert^2}{\sum_p M_t(p)}.$$
#
# There are $T$ frames. $O_t(p)$ is the colour of point $p$ in frame $t$. The tilde says "pulled onto frame $t$".
# $M_t(p)$ is 1 where both frames show the point, else 0, and the $\tfrac13$ makes the mean of three colours.
#
# The true renders do not reach zero: light falls anew on a leg that turns, and a picture that moves by half a pixel
# mixes two of them. A picture that a latent model paints has also been through the autoencoder. So the floor that
# we compare with is the error of the true frames after the autoencoder has reconstructed them.

# %% tags=["check", "nbval-ignore-output"]
pipe = catalog.with_scheduler(catalog.load("controlnet", lane=runtime.lane, control="depth"), "ddim")
reconstructed = video.through_autoencoder(pipe, clip.frames)
floor = flicker(reconstructed)
print(f"reconstructed by the autoencoder: {floor:.2f}")
assert np.isclose(flicker(clip.frames), 100 * video.warping_error(clip.frames, clip)), "the helper computes the same"

# %% [markdown]
# ## Frames alone
#
# The plain way is one call of a standard pipeline for each frame, with this frame's map. We give each frame another
# seed, as happens when you set none. (The sampler is DDIM, [Song et al., 2020](https://arxiv.org/abs/2010.02502),
# because it draws no noise of its own on the way. Twelve steps save your time.)

# %%
common = {"num_inference_steps": 12, "guidance_scale": settings["guidance_scale"]}
films = {"alone": []}
for number, depth in enumerate(maps):
    films["alone"] += pipe(words, image=depth, generator=runtime.generator(number), **common).images
plots.described(
    plots.strip(films["alone"], numbers, size=(120, 120), caption="each frame from its own noise"),
    "The walking man in six frames, in other clothes each time.",
)

# %% [markdown]
# The walk is right in every frame, because the map says it. The rest is a lottery, drawn anew each time (lesson 01).
# `video.measure` gives all that must be seen together: the warping error; **drift**, which is the same against the
# *first* frame and also sees slow change; sharpness (here the mean slope of brightness); and **adherence**, how far
# each frame obeys its own map (lesson 04).

# %% tags=["nbval-ignore-output"]
table = {"floor": video.measure(reconstructed, clip, "depth"), "alone": video.measure(films["alone"], clip, "depth")}

def show(*names):
    for name in names or table:
        print(f"{name:>20}: " + ", ".join(f"{key} {value:.2f}" for key, value in table[name].items()))

show()

# %% tags=["remove-cell"]
assert table["alone"]["warping error"] > 5 * floor, "The rest is a lottery, drawn anew each time"

# %% [markdown]
# ## Two ways to cheat
#
# A number that stands alone gets cheated. Blur every frame, and there is less to flicker. Or show the first frame
# for the whole film.

# %% tags=["check", "nbval-ignore-output"]
cheats = {"blurred": video.blurred(films["alone"]), "frozen": films["alone"][:1] * len(clip)}
table |= {name: video.measure(frames, clip, "depth") for name, frames in cheats.items()}
show("alone", *cheats)
for name in cheats:
    assert table[name]["warping error"] < table["alone"]["warping error"], f"{name} cheats the measure"
assert table["blurred"]["sharpness"] < 0.8 * table["alone"]["sharpness"], "sharpness tells on the blur"
plots.described(
    plots.sweep([*cheats.values()], [*cheats], numbers, size=(100, 100)),
    "The blurred film, and the frozen one: six times the first frame.",
)

# %% [markdown]
# Both lower the warping error, and the film is no better. But sharpness tells on the blur, and adherence tells on the
# frozen film, whose man does not walk. A cure counts only if it lowers warping error and drift, *and* keeps sharpness
# and adherence.

# %% tags=["remove-cell"]
assert table["frozen"]["adherence"] < table["alone"]["adherence"] - 0.03, "adherence tells on the frozen film"

# %% [markdown]
# ## The first rung: the same noise
#
# It takes one line: every frame begins with the same latents.

# %% tags=["check", "nbval-ignore-output"]
shape = (1, pipe.unet.config.in_channels, *(side // pipe.vae_scale_factor for side in size))
noise = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(pipe.device, pipe.unet.dtype)
films["same noise"] = [pipe(words, image=depth, latents=noise, **common).images[0] for depth in maps]
table["same noise"] = video.measure(films["same noise"], clip, "depth")
show("alone", "same noise")
assert table["same noise"]["warping error"] < table["alone"]["warping error"], "one line, and it flickers less"
plots.described(
    plots.strip(films["same noise"], numbers, size=(106, 106), caption="all frames from one noise"),
    "The same walk; his clothes are much more alike now.",
)

# %% tags=["remove-cell"]
halved = table["same noise"]["warping error"] < table["alone"]["warping error"] / 2
assert halved, "his clothes are much more alike now"

# %% [markdown]
# Why so much? Blur the noise in your mind: some large regions are a little brighter than others, some a little darker.
# These *low frequencies* of the first noise decide the layout and the colours of the picture (FreeInit, [Wu et al.,
# 2023](https://arxiv.org/abs/2312.07537)). What the same noise cannot do: it hangs on the *screen*, not on the man.
# Patterns stay where they are while he walks through them.
#
# ## Let the frames look at each other
#
# In self-attention (lesson 06) each place of a picture looks for others that resemble it, and takes from them: *keys*
# say what is there, *values* what is taken. Nothing says that they must come from the same picture. Text2Video-Zero
# ([Khachatryan et al., 2023](https://arxiv.org/abs/2303.13439)) takes keys and values from the **first frame**
# (**cross-frame attention**): every later frame looks up in it how the shirt was painted.
#
# There is one trap. With guidance the batch is doubled: first all frames without the prompt, then all with it. The
# frames with the prompt must look at the first frame *with the prompt*. A toy batch of three frames shows how to take
# the halves apart:

# %% tags=["check"]
toy = torch.tensor([10, 11, 12, 20, 21, 22])  # frames 0, 1, 2 without the prompt, then with it
halves = toy.unflatten(0, (2, 3))  # [half, frame]
firsts = halves[:, :1].expand_as(halves).flatten()
print(f"{halves.tolist()} -> {firsts.tolist()}")
assert firsts.tolist() == [10, 10, 10, 20, 20, 20], "each half looks at its own first frame"

# %% [markdown]
# In diffusers each attention layer has a *processor*, and the third argument of its call says where keys and values
# come from. So ours is a thin shell around the layer's own:

# %%
class FirstFrame:
    def __init__(self, plain, frames):
        self.plain, self.frames = plain, frames

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None):
        halves = hidden_states.unflatten(0, (-1, self.frames))  # [half, frame, token, channel]
        first = halves[:, :1].expand_as(halves).flatten(0, 1)
        return self.plain(attn, hidden_states, first)

# %% [markdown]
# Put it around every self-attention layer (diffusers calls them `attn1`), and paint all frames in one call:

# %%
layers = {name: each for name, each in pipe.unet.attn_processors.items() if name.endswith("attn1.processor")}
inside = {name.removesuffix(".processor"): FirstFrame(each, len(clip)) for name, each in layers.items()}
batch = {"image": maps, "latents": noise.expand(len(clip), -1, -1, -1), **common}
with replaced_processors(pipe.unet, inside):  # the layers' own come back after the block
    films["first"] = pipe([words] * len(clip), **batch).images
plots.described(
    plots.strip(films["first"], numbers, size=(106, 106), caption="keys and values from the first frame"),
    "The walk with cross-frame attention: each frame takes its looks from the first.",
)

# %% [markdown]
# `video.cross_frame` does the same, with two more ways to look: at the first *and the previous* frame, or at *all*
# frames (ControlVideo, [Zhang et al., 2023](https://arxiv.org/abs/2305.13077)). All frames of a batch must be in
# memory at once; `video.paint` therefore paints a long clip in chunks, and puts the first frame and the one before
# into each.

# %% tags=["nbval-ignore-output"]
with video.cross_frame(pipe, "all", len(clip)):
    films["all"] = pipe([words] * len(clip), **batch).images
table |= {name: video.measure(films[name], clip, "depth") for name in ("first", "all")}
show("same noise", "first", "all")

# %% tags=["remove-cell"]
gone = {k: table["alone"]["warping error"] - table[k]["warping error"] for k in ("same noise", "first", "all")}
assert gone["same noise"] > 0.6 * max(gone.values()), "Most of the work was done by the noise"

# %% [markdown]
# Most of the work was done by the noise, and one clip cannot tell the small differences that are left. A table over
# many clips, at the end of the ladder, can.
#
# ## Begin with the frame before
#
# Now use the motion itself. Pull the finished previous frame onto this one, and let img2img (lesson 02) paint it
# over, steered by this frame's map. Where the previous frame shows nothing, a fresh frame fills the hole. The
# pipeline has a name of its own: `catalog.load("controlnet_img2img")` is diffusers'
# `StableDiffusionControlNetImg2ImgPipeline` on the same weights.
#
# If each frame takes only the one before ("warped previous" in the table below), errors add up: every frame passes the
# lossy autoencoder once more (Rerender-A-Video, [Yang et al., 2023](https://arxiv.org/abs/2306.07954)). So what the
# *first* frame shows is taken from the first: an **anchor**.

# %%
img2img = catalog.with_scheduler(catalog.load("controlnet_img2img", lane=runtime.lane, control="depth"), "ddim")
done = films["same noise"][:1]
for number in range(1, len(clip)):
    start = np.asarray(films["same noise"][number], np.float32)  # fresh, for the holes
    for other in (number - 1, 0):  # the anchor lies on top
        flow, visible = clip.flow(number, other)
        start = np.where(visible[..., None], video.pull(done[other], flow), start)
    start = Image.fromarray(start.round().astype(np.uint8))
    done += img2img(words, image=start, control_image=maps[number], strength=0.6,
                    generator=runtime.generator(0), **common).images
films["warped, anchored"] = done

# %% [markdown]
# ## A median along the motion
#
# An editing program's deflicker is at its core a median over neighbouring frames. At rest it helps; where something
# moves, it leaves ghosts. We know the motion, so we pull the neighbours into place *first*:

# %%
def steadied(frames, number, radius=2):
    stack = [np.asarray(frames[number], np.float32)]
    for other in range(max(0, number - radius), min(len(frames), number + radius + 1)):
        if other != number:
            flow, visible = clip.flow(number, other)
            stack.append(np.where(visible[..., None], video.pull(frames[other], flow), np.nan))
    return Image.fromarray(np.nanmedian(stack, axis=0).round().astype(np.uint8))

films["warped, then median"] = [steadied(done, number) for number in range(len(clip))]

# %% [markdown]
# All rungs so far, in numbers and in pictures. Follow the clothes and the face along each row:

# %% tags=["check", "nbval-ignore-output"]
for name in ("warped, anchored", "warped, then median"):
    table[name] = video.measure(films[name], clip, "depth")
rungs = ["alone", "same noise", "first", "warped, anchored", "warped, then median"]
show("floor", *rungs)
assert table[rungs[-1]]["warping error"] < table["alone"]["warping error"] / 2, "the last rung is far from the first"
plots.described(
    plots.sweep([films[name] for name in rungs], rungs, numbers, size=(84, 84)),
    "Five rungs, a row each: alone the clothes change at every frame; below they change less and less.",
)

# %% tags=["remove-cell"]
falls = [table[k]["warping error"] for k in ("alone", "same noise", "warped, anchored", "warped, then median")]
assert falls == sorted(falls, reverse=True), "below they change less and less"

# %% [markdown]
# And moving, side by side: alone, the same noise, the last rung. (`video.to_gif` and `video.to_mp4` write files.)

# %% tags=["nbval-ignore-output"]
side_by_side = []
for row in zip(*(films[name] for name in ("alone", "same noise", "warped, then median")), strict=True):
    side_by_side.append(Image.fromarray(np.hstack([np.asarray(image) for image in row])).resize((450, 150)))
alt = "Three films of the same walk, side by side: frames alone, from one noise, and the last rung."
video.Film(side_by_side, alt, fps=6, kind="gif")

# %% [markdown]
# The last rung even falls below the floor. Careful: that is the *third* way to cheat. This median is made with the
# very arrows that measure it, so here it must win. And below the floor is not better than perfect, it is smoothed: a
# leg that turns in the light ought to change a little, and the median takes that away, too. The honest ranking stops
# at the floor.

# %% tags=["remove-cell"]
assert table["warped, then median"]["warping error"] < floor, "The last rung even falls below the floor"

# %% [markdown]
# ## Noise that moves
#
# The same noise sticks to the screen. So let it move with the things? There is a trap: whoever pulls noise along like
# a picture takes means of four values. A mean of noise has less variance, its neighbours resemble each other, and it
# is no **white noise** any more. The model has never seen such noise. The cure (after *Go-with-the-Flow*, [Burgert et
# al., 2025](https://arxiv.org/abs/2501.08331)): move it on the grid of the *pixels*, add what lands in one place, and
# divide by the root of how many landed.
#
# Is it still white then? And is it worth something? One walk proves little, so a table was made once on the clay lane
# (`make results`): clips of three kinds of motion (a walk, a camera that goes round, a thing that passes behind
# another), all rungs, the same seeds.

# %% tags=["check"]
grid = (48, size[0] // 16, size[1] // 16)  # more channels than the model has, so that the numbers are steady
for name, make in {"carried": video.carried_noise, "smeared": video.smeared_noise}.items():
    later = make(clip, grid, 0)[3]
    alike = float((later[..., 1:] * later[..., :-1]).mean() / (later**2).mean())
    print(f"{name}: variance {float(later.var()):.2f}, neighbours alike {alike:+.2f}")
    assert (abs(alike) < 0.06 and abs(float(later.var()) - 1) < 0.06) == (name == "carried")

film = results.read("film")
clips = len(set(film.column("clip")))

def gained(column, before, after):
    return metrics.difference(film.column(column, rung=before), film.column(column, rung=after))

for name in ("carried noise", "smeared noise"):
    error, sharp = (gained(column, "same noise", name) for column in ("warping error", "sharpness"))
    print(f"{name} instead of the same noise, {clips} clips: warping error {error}, sharpness {sharp}")

# %% tags=["remove-cell"]
moved, smeared = (gained("warping error", "same noise", f"{k} noise") for k in ("carried", "smeared"))
blur = gained("sharpness", "same noise", "smeared noise")
assert moved.low > 0, "here the carried noise harms"
calmer = smeared.value < moved.value and blur.high < 0
assert calmer, "Smeared noise looks steadier than carried noise, but only because it is blurred"

# %% [markdown]
# Carried noise stays white, smeared noise does not. But here the carried noise harms: the warping error changes by
# {{moved.value:+.2f}} ({{moved.low:+.2f}} to {{moved.high:+.2f}}). Smeared noise looks steadier than carried noise,
# but only because it is blurred: sharpness changes by {{blur.value:+.2f}}. That is our first cheat again. Why show it?
# In models that paint *pixels* moving noise does help. A latent of ours covers 16 pixels, and the authors of *How I
# Warped Your Noise* ([Chang et al., 2024](https://arxiv.org/abs/2504.03072)) say themselves that latent models gain
# less from such noise.
#
# ## Two tricks of a famous short
#
# The course's video shows ["Anime Rock, Paper, Scissors"](https://www.youtube.com/watch?v=GVT3WUa-48Y) (Corridor,
# February 2023) and says that the short is in part controlled with ControlNet. The makers' own account of part one
# names other means: a model trained on one style and on each actor (lesson 08), each frame turned back *into its own
# noise*, and an editing program's deflicker at the end. We found no source of theirs that names ControlNet, which
# appeared in that same month. You can now build all of it: the control, the deflicker, and these two tricks.
#
# A LoRA that ships with the course knows the style (`anime`). A frame is turned back into its noise by the sampler's
# own steps, taken backwards: **DDIM inversion**. Neighbouring frames are alike, and so are their noises.

# %% tags=["check", "nbval-ignore-output"]
anime = pretrained.load("anime", catalog.load("text2img", lane=runtime.lane))
both = {"anime, alone": "alone", "anime, inverted": "inverted"}
with personalize.attached(pipe, anime):
    for name, rung in both.items():
        config = video.FilmConfig(**common)
        films[name] = [*video.paint(pipe, clip, maps, "an anime picture of a man in the garden", rung, config)]
table |= {name: video.measure(films[name], clip) for name in both}
show(*both)
noises = [video.invert(pipe, frame) for frame in clip.frames[:2]]
alike = float(torch.corrcoef(torch.stack([each.flatten() for each in noises]))[0, 1])
assert alike > 0.3, "neighbouring frames are alike, and so are their noises"
plots.described(
    plots.sweep([films[name] for name in both], [*both], numbers, size=(72, 72)),
    "The walk in flat colours with dark outlines: each frame alone, and from the noise that its camera frame became.",
)

# %% tags=["remove-cell"]
less = table["anime, inverted"]["warping error"] < table["anime, alone"]["warping error"]
assert less, "Neighbouring frames are alike, and so are their noises"

# %% [markdown]
# From its own noise a frame also keeps more of what the camera saw: its colours come along, as in lesson 02, though
# seldom just as they were. A prompt that wants other colours then pulls against the noise.
#
# ## The whole ladder, over many clips
#
# Now all rungs together, from the table of many clips. The bars are means over clips, the whiskers their 95 %
# intervals.
#
# | rung | how a frame is made |
# |---|---|
# | alone, same noise | each from its own noise; all from one |
# | carried noise, smeared noise | one noise that moves with the things; white, or spoiled |
# | inverted | from the noise that the camera's frame becomes |
# | first, first and previous, all | cross-frame attention to these frames |
# | warped latents | from one noise, and in the early steps the latents of the frame before are pulled along |
# | warped previous | img2img from the frame before, pulled along |
# | warped, anchored | the same, but what the first frame shows is taken from the first |
# | ..., then median | a median along the motion over the finished frames |
# | blurred, frozen | the two cheats, made from "alone" |
# | truth, autoencoder | the camera's frames; the same after the autoencoder, which is the floor |

# %%
errors = {name: metrics.mean(film.column("warping error", rung=name)) for name in dict.fromkeys(film.column("rung"))}
errors = dict(sorted(errors.items(), key=lambda item: -item[1].value))
bars, ends = {name: e.value for name, e in errors.items()}, {name: (e.low, e.high) for name, e in errors.items()}
figure = plots.bars(bars, ends, title=f"warping error x 100, {clips} clips", form="{:.2f}")
plots.described(figure, "; ".join(f"{name}: {value:.2f}" for name, value in bars.items()))

# %% [markdown]
# What does each step up the ladder buy? Here are differences on the same clips and seeds:

# %% tags=["check"]
stairs = [("alone", "same noise"), ("same noise", "first"), ("first", "all"), ("same noise", "inverted"),
          ("warped previous", "warped, anchored"), ("warped, anchored", "warped, then median")]
for pair in stairs:
    print(" -> ".join(pair) + f": warping error {gained('warping error', *pair)}, drift {gained('drift', *pair)}")
assert gained("drift", "warped previous", "warped, anchored").high < 0, "the anchor holds the film"

# %% tags=["remove-cell"]
assert gained("warping error", "same noise", "first").high < 0, "Looking at the first frame helps a little more"
unsure = [gained("warping error", *k) for k in (("first", "all"), ("same noise", "inverted"))]
open_yet = all(k.low < 0 < k.high for k in unsure)
assert open_yet, "of looking at all, and of inversion, these clips cannot say that it helps"
anchored = gained("warping error", "warped previous", "warped, anchored")
assert anchored.high < 0, "The anchor lowers drift, and flicker with it"
ground = film.column("warping error", rung="autoencoder")
above = {k: film.column("warping error", rung=k) - ground for k in errors}
one_line = 1 - metrics.ratio(above["alone"], above["same noise"]).value
anchor = 1 - metrics.ratio(above["alone"], above["warped, anchored"]).value
median = 1 - metrics.ratio(above["alone"], above["warped, then median"]).value
assert one_line > 0.5, "Most of it goes with one line, the same noise"
assert median > 1, "more than all of it"
looks = [errors[k] for k in ("first", "first and previous", "all")]
overlap = max(k.low for k in looks) < min(k.high for k in looks)
assert overlap, "Of the three rungs between, our intervals overlap and tell no order"
worst = errors["alone"].low > errors["same noise"].high
smoothing = errors["all, then median"].high < errors["all"].low
assert worst and smoothing, "frames alone are worst by far, and smoothing wins"
paid = [gained(k, "alone", "warped, then median") for k in ("adherence", "sharpness")]
assert all(k.low > -0.01 for k in paid), "adherence and sharpness do not pay for it"

# %% [markdown]
# Of the flicker *above the floor* the same noise takes away {{one_line:.0%}}, and the anchored rung {{anchor:.0%}}.
# Looking at the first frame helps a little more; of looking at all, and of inversion, these clips cannot say that it
# helps: their intervals hold zero. The anchor lowers drift, and flicker with it. The median takes {{median:.0%}}, more
# than all of it: that is the smoothing of which we spoke. At least adherence and sharpness do not pay for it.
#
# What did others find? ControlVideo's table 3 (15 frames of DAVIS, Stable Diffusion 1.5, *estimated* motion) has
# these rungs. Both ladders begin and end alike: frames alone are worst by far, and smoothing wins. Of the three rungs
# between, our intervals overlap and tell no order. Those are other films, so do not compare the numbers.
#
# | ControlVideo, table 3 | warping error |
# |---|---|
# | each frame alone | 20.13 |
# | keys and values of the first frame | 8.91 |
# | first and previous | 7.05 |
# | all frames | 5.93 |
# | all frames, and smoothing | 2.75 |
#
# ## What is not solved
#
# Flow says where a point *went*. It says nothing of a point that nobody has seen: when an arm uncovers the chest,
# the chest must be invented, and two frames may invent differently. How much of each frame can the first frame not
# tell us?

# %% tags=["check"]
unseen = [1 - clip.flow(number, 0)[1].mean() for number in range(len(clip))]
print("not seen in the first frame: " + ", ".join(f"{share:.0%}" for share in unseen))
assert unseen[-1] > unseen[1], "the longer the film, the more must be invented"

# %% [markdown]
# Inside the loop it gets harder still. "Warped latents" carries over not pictures but latents: after each of the early
# steps, the latents of the frame before are pulled along and put in place of this frame's. But one latent covers 16
# pixels, so at the border of an arm half a latent moves and half of it stays. Look at arms and legs:

# %% tags=["nbval-ignore-output"]
config = video.FilmConfig(**common, blended=0.6)
frames = [*video.paint(pipe, clip, maps, words, "warped latents", config)]
shown = plots.strip(frames, numbers, size=(110, 110), caption="latents carried over in 60 % of the steps")
plots.described(shown, "The walk again; at arms and legs parts of the frame before may stay where they were.")

# %% [markdown]
# And flow is exact only here. Of *your own* clip it must be estimated, for example by OpenCV's DIS ([Kroeger et al.,
# 2016](https://arxiv.org/abs/1603.03590)). So the fair question is: paint the last rung with an *estimated* flow, and
# measure it with the true one. We forget the truth of our clip, and keep only its frames:

# %% tags=["check", "nbval-ignore-output"]
guess = video.Clip(clip.frames, words)  # the same frames, the truth forgotten
apart = np.linalg.norm(guess.flow(0, 1)[0] - clip.flow(0, 1)[0], axis=-1)
man = (clip.made[0].instance >= 0) & clip.flow(0, 1)[1]
print(f"on the man the estimate is off by {np.median(apart[man]):.1f} pixels, at the worst tenth by "
      f"{np.quantile(apart[man], 0.9):.1f}")
by_guess = [*video.paint(pipe, guess, maps, words, "warped, then median", video.FilmConfig(**common))]
table["the same by guess"] = video.measure(by_guess, clip, "depth")
show("floor", "same noise", "warped, then median", "the same by guess")
assert np.median(apart[man]) < 2, "the guess is off, but not by far"

# %% tags=["remove-cell"]
left = {k: table[k]["warping error"] for k in ("same noise", "the same by guess", "warped, then median")}
assert left["the same by guess"] < left["same noise"], "With a guessed flow the cure still works"
assert left["the same by guess"] > left["warped, then median"], "but it is not as good as with the true one"
assert median > 0.9, "flicker of *known* motion can be taken away nearly whole"

# %% [markdown]
# With a guessed flow the cure still works (warping error {{left["the same by guess"]:.2f}}, the same noise alone has
# {{left["same noise"]:.2f}}), but it is not as good as with the true one ({{left["warped, then median"]:.2f}}).
#
# So the sentence of the video stands, smaller: flicker of *known* motion can be taken away nearly whole. Open are
# points that come into view, motion that must be guessed, and long films that drift. Others carry features from key
# frames to those between (TokenFlow, [Geyer et al., 2023](https://arxiv.org/abs/2307.10373)). The field went on by
# training motion itself: **AnimateDiff** ([Guo et al., 2023](https://arxiv.org/abs/2307.04725)) puts layers that look
# along time into Stable Diffusion 1.5, and in diffusers `AnimateDiffVideoToVideoControlNetPipeline` takes your maps (a
# GPU with 16 GB; `enable_free_noise` for long clips). Later video models denoise all frames at once and need no
# ladder. What you have learned here is what they had to learn.
#
# ## Your own clip
#
# A clay scene or a video of your own (a file beside the notebook, or a small upload), a control, a prompt, a rung.
# Frames appear as they are finished, Stop keeps them, and GIF and MP4 go home with you. A long file is cut at the
# number of frames that you choose, and a clip ends where its scene cuts. Of your own clip nobody knows the truth:
# the map is made by the lane's preprocessor, and the flow is estimated.

# %% tags=["widget", "nbval-ignore-output"]
short = widgets.ClipSource(words, "walk", frames=4)
panel = widgets.film_panel(pipe, runtime, prompt=words, clip=short, num_inference_steps=8)
panel.generate.click()
panel.wait()
panel

# %% tags=["nbval-ignore-output"]
plots.described(panel.picture(), "The panel: knobs for clip, prompt, control and rung, and the finished film.")

# %% [markdown]
# ## Exercises
#
# ### 11.1 · Who is still seen? (difficulty 3, 10 minutes)
#
# Of your own clip nobody knows which points are covered in the next frame. Papers go there and back: follow the flow
# from frame a to frame b, and from there the flow from b to a. Who comes home is still seen. Write `still_seen(there,
# back, most)` for two flows [height, width, 2], in pixels, along x and along y: for each point of a, is it at most
# `most` pixels from home? Take `back` at the pixel nearest to where `there` leads, or at the border if that lies
# outside.

# %% tags=["exercise"]
def still_seen(there, back, most):
    return None  # your lines

checks.check("11.1", still_seen)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `np.indices(there.shape[:2])` gives the row and the column of each point. Round, clip, and make whole numbers of
# where they go: an array can be asked for all those pixels at once. Home is where the two ways add up to nothing.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def still_seen(there, back, most):
#     rows, columns = np.indices(there.shape[:2])
#     row = np.rint(rows + there[..., 1]).clip(0, rows.max()).astype(int)
#     column = np.rint(columns + there[..., 0]).clip(0, columns.max()).astype(int)
#     return np.linalg.norm(there + back[row, column], axis=-1) <= most
# ```
# </details>
#
# ### 11.2 · Each half looks into itself (difficulty 3, 15 minutes)
#
# Write `first_and_previous(tokens, frames)`. `tokens` is [half * frame, token, channel], the halves of guidance one
# after the other. Give [half * frame, 2 * token, channel]: for each frame the tokens of the first frame *of its
# half*, then those of the frame before it. The first frame's previous one is itself.

# %% tags=["exercise"]
def first_and_previous(tokens, frames):
    return None  # your lines

checks.check("11.2", first_and_previous)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `tokens.unflatten(0, (-1, frames))` takes the halves apart. Then index the frames with two lists, `[0] * frames` and
# `[0, 0, 1, 2, ...]`, and join along the tokens.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def first_and_previous(tokens, frames):
#     halves = tokens.unflatten(0, (-1, frames))
#     previous = [max(0, frame - 1) for frame in range(frames)]
#     return torch.cat([halves[:, [0] * frames], halves[:, previous]], dim=2).flatten(0, 1)
# ```
# </details>
#
# ### 11.3 · Noise must stay white (difficulty 3, 15 minutes)
#
# Carry noise along a line. Write `carried(noise, to, fresh)` for three arrays of the same length [n]: the fine cell k
# holds `noise[k]` and goes to the place `to[k]`, a whole number from 0 to n - 1. Several cells may land in one place,
# and some places stay empty. Give the noise [n] after the move: everywhere of variance 1. Where nothing has landed,
# take the number of that place in `fresh`.

# %% tags=["exercise"]
def carried(noise, to, fresh):
    return None  # your lines

checks.check("11.3", carried)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# Variances of independent numbers add up. `np.bincount(to, minlength=n)` counts who lands where, and with a second
# argument it adds up what they bring.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def carried(noise, to, fresh):
#     count = np.bincount(to, minlength=len(noise))
#     total = np.bincount(to, noise, minlength=len(noise))
#     return np.where(count > 0, total / np.sqrt(np.maximum(count, 1)), fresh)
# ```
# </details>
#
# ### 11.4 · Who may win? (open, difficulty 2, 15 minutes)
#
# The lesson has said in words which cures count. Now set the limits yourself: write `honest(row, alone, floor)`. All
# three are rows of `table`, dicts with "warping error", "drift", "sharpness" and "adherence". Give `True` for a film
# that you would let into the ranking. **Predict** first: does the frozen film get through, and does the median?
# **Run** yours on the lesson's own `table`, then call the check, which takes it to the table of many clips.
# **Explain**: would you give the prize to the film that wins by your rule?

# %% tags=["exercise"]
def honest(row, alone, floor):
    return None  # your lines

checks.check("11.4", honest)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# Who blurs loses sharpness, who freezes loses adherence, and who smooths? Leave some room: two films differ by a
# hundredth or two though nobody has cheated.
# </details>
# <details><summary>Solution</summary>
#
# One of many, with limits that are only ours.
#
# ```python
# def honest(row, alone, floor):
#     sharp = row["sharpness"] >= 0.9 * alone["sharpness"]
#     obeys = row["adherence"] >= alone["adherence"] - 0.05
#     return sharp and obeys and row["warping error"] >= floor["warping error"]
# ```
# </details>
#
# ### 11.5 · How much anew? (open, difficulty 3, 20 minutes)
#
# `strength` says how much of the pulled frame img2img paints anew. **Predict** which of two or more strengths, such as
# 0.4 and 0.9, is best in warping error, in drift and in adherence. **Run** "warped, anchored" with each of them, and
# "same noise", which pulls nothing, to hold them against: six seeds or more, the same for all. **Measure** each film
# with `video.measure`. `experiment()` gives the pair of what you expected,
# `{"warping error": 0.4, "drift": 0.4, "adherence": 0.9}`, and what you saw, `{"same noise": [...], 0.4: [...], ...}`,
# a measure for each film. The check says what so few films can tell. Then **explain** what you did not expect: look
# at the frames, not only at the numbers. Or take the clip `video.moving("a cat and a tree in the garden", "behind")`,
# where most of what moves is hidden for a while.

# %% tags=["exercise"]
def experiment():
    return None  # your guess, and what you saw

checks.check("11.5", experiment)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `video.FilmConfig(**common, strength=0.4, seed=3)` says how, `video.paint` paints. Four frames are a film.
# </details>
# <details><summary>Solution</summary>
#
# One of many, with a guess that is only ours. It paints 18 films of four frames.
#
# ```python
# def experiment():
#     clip = video.moving(words, "walk", 4, *size)
#     maps = clip.maps("depth")
#     seen = {}
#     for strength in ("same noise", 0.4, 0.9):
#         rung, how = ("warped, anchored", {"strength": strength}) if strength != "same noise" else (strength, {})
#         configs = [video.FilmConfig(**common, **how, seed=seed) for seed in range(6)]
#         films = [[*video.paint(pipe, clip, maps, words, rung, config)] for config in configs]
#         seen[strength] = [video.measure(frames, clip, "depth") for frames in films]
#     return {"warping error": 0.4, "drift": 0.4, "adherence": 0.9}, seen
# ```
# </details>

# %% [markdown]
# ## Words of this lesson
#
# - **optical flow**: for each pixel of a frame, where that point is in another frame.
# - **warping**: moving the pixels of one frame along the flow onto another.
# - **warping error**: what is left when motion is taken away: the flicker.
# - **drift**: slow change that no two neighbouring frames show, measured against the first frame.
# - **cross-frame attention**: self-attention whose keys and values come from other frames.
# - **anchor**: a frame, mostly the first, to which all later ones hold.
# - **white noise**: noise of which no place knows anything of its neighbours.
# - **DDIM inversion**: running the sampler backwards, from a picture to the noise that leads to it.
# - **AnimateDiff**: layers that look along time, put between those of Stable Diffusion.
#
# ## Read on
#
# - [Rerender A Video](https://arxiv.org/abs/2306.07954), Yang et al., 2023: why drift comes, and the anchor.
# - [TokenFlow](https://arxiv.org/abs/2307.10373), Geyer et al., 2023: features carried between key frames.
# - [Go-with-the-Flow](https://arxiv.org/abs/2501.08331), Burgert et al., 2025: noise that moves.
#
# ## To take with you
#
# - Flicker is what remains when motion is taken away; measure it with its floor, and never alone. Who is made with
#   the measure wins by the measure.
# - Most of it goes with one line, the same noise. The motion itself, an anchor and a median take nearly all the rest.
# - What nobody has seen must be invented, and that is where films still break.
#
# **Next:** lesson 12, the studio: all controls of the course in one panel.

# %%
env.release()
