# %% [markdown]
# {{badges}}
#
# # 01 · Text to image: the lottery
#
# You will take the machine apart that makes a picture from words, put it together again in a dozen lines, and then
# count how often it does what it is told. That number is what every later lesson has to beat.

# %% [markdown]
# **You will**
# - watch a picture come out of noise, step by step, in a loop that you can read;
# - derive what the model is trained for and one step of its loop, and train a small one yourself in seconds;
# - turn one knob at a time: guidance, steps, scheduler, seed;
# - count with the judge how often "a red clock and a blue bench" comes true, and say how sure you are;
# - see why nothing in a prompt ties a colour to a thing.
#
# **You need** lesson 00. About a minute on two cores and 1.2 GB of memory; on a Colab T4
# 2.9 GB of the card (computed, not yet measured).

# %% tags=["setup"]
# {{setup}}

# %% tags=["nbval-ignore-output"]
from collections import Counter

import numpy as np
import torch

from course_utils import catalog, checks, clay, env, judge, metrics, plots, widgets

runtime = env.start(seed=0)

# %% [markdown]
# This map shows the whole of Stable Diffusion and, as numbers, where each lesson acts on it. You will see it again in
# every lesson, with the place of that lesson lit. Today it is the **loop** in the middle, from noise to a picture.

# %%
plots.diagram("map", here="01")

# %% [markdown]
# ## One call
#
# In plain diffusers these lines make a picture. `catalog.load` does the same, and knows the folder, the number format
# of your device and the quirks of the versions.
#
# ```python
# from diffusers import StableDiffusionPipeline
# pipe = StableDiffusionPipeline.from_pretrained(env.ASSETS / "models/clay-base")
# image = pipe("a red clock", num_inference_steps=20, guidance_scale=4.0).images[0]
# ```

# %%
pipe = catalog.with_scheduler(catalog.load("text2img", lane=runtime.lane), "ddim")  # the plainest sampler
settings = catalog.defaults(runtime.lane)


def paint(prompt, seed, **changes):
    return pipe(prompt, generator=runtime.generator(seed), **(settings | changes)).images[0]


prompt = "a red clock and a blue bench"
plots.described(paint(prompt, seed=0), "What the model made of 'a red clock and a blue bench' with seed 0.")

# %% [markdown]
# Look closely. Is the clock there, and red? Is the bench there, and blue? Keep the answer in mind. First we want to
# know what happened in that call.

# %% [markdown]
# ## The idea
#
# Take a picture. Shrink it with an **autoencoder** to a small block of numbers, the **latents**: here the model lives,
# because there is far less to calculate (latent diffusion, [Rombach et al., 2022](https://arxiv.org/abs/2112.10752)).
# Now add noise, little by little, until nothing but noise is left. At noise step $t$ the latents are ([Ho et al.,
# 2020](https://arxiv.org/abs/2006.11239))
#
# $$x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon$$
#
# where $x_0$ is the clean picture, $\varepsilon$ the noise, and $\bar\alpha_t$ falls from 1 to nearly 0 (the **noise
# schedule**). A network, the **UNet** ([Ronneberger et al., 2015](https://arxiv.org/abs/1505.04597)), has seen a great
# many of such noisy latents, each with a caption, and learned one thing: to guess $\varepsilon$. Run it backwards,
# from pure noise, and there is a picture that nobody has painted.

# %%
plots.diagram("pipeline", lane=runtime.lane)

# %% [markdown]
# The upper row is the words. The tokenizer cuts them into tokens, and the text encoder (that of **CLIP**, [Radford et
# al., 2021](https://arxiv.org/abs/2103.00020), in Stable Diffusion) makes a vector of numbers of each. The lower row
# is the picture. It begins with noise from a seed. In each step the UNet receives the words and guesses the noise, and
# the scheduler takes a part of that noise away. After the last step the decoder of the autoencoder turns the latents
# into pixels. (The autoencoder of Stable Diffusion is a variational one, a **VAE** ([Kingma and Welling,
# 2013](https://arxiv.org/abs/1312.6114)); that is its name in all programs.) The sizes are those of the model that you
# have loaded.

# %%
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import retrieve_latents
from PIL import Image


@torch.no_grad()
def decode(latents):
    pixels = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample
    return pipe.image_processor.postprocess(pixels)[0]


@torch.no_grad()
def encode(picture):
    pixels = pipe.image_processor.preprocess(picture).to(runtime.device, runtime.dtype)
    return retrieve_latents(pipe.vae.encode(pixels), sample_mode="argmax") * pipe.vae.config.scaling_factor


def noise(seed):
    height, width = (settings[side] // pipe.vae_scale_factor for side in ("height", "width"))
    shape = (1, pipe.unet.config.in_channels, height, width)
    return torch.randn(shape, generator=runtime.generator(seed), dtype=runtime.dtype).to(runtime.device)


made = clay.render(clay.scene(seed=7, index=2), settings["height"], settings["width"])
clean, levels = encode(Image.fromarray(made.image)), torch.tensor([0, 200, 400, 600, 800, 999])
noised = [pipe.scheduler.add_noise(clean, noise(0), level[None]) for level in levels]
plots.described(
    plots.strip([decode(latents) for latents in noised], [f"t = {t}" for t in levels.tolist()], size=(135, 135)),
    "A green turtle with a crown drowns in noise from left to right, until at t = 999 nothing of it is left.",
)

# %% tags=["check"]
assert clean.shape == noise(0).shape and made.image.size >= 48 * clean.numel()
shares = pipe.scheduler.alphas_cumprod
assert shares[0] > 0.99 and shares[-1] < 0.01 and bool((shares.diff() < 0).all())

# %% [markdown]
# (`scaling_factor` brings the latents to a spread of about 1, that of the noise with which they are mixed. And why
# does decoded noise look like stained glass? The decoder has only met latents of pictures, so it paints patches of
# colour, one for each place of the latents.)
#
# On the clay lane the latents hold {{made.image.size // clean.numel()}} times fewer numbers than the picture, on sd15
# 48 times fewer. A network that is asked dozens of times for each picture feels that.
#
# ## The mathematics, once
#
# ### What is trained
#
# Draw a clean picture $x_0$ from the data, noise $\varepsilon \sim \mathcal N(0, I)$ and a step $t$ from 0 to 999; mix
# them as above, and ask the network for the noise. The **training objective** is the mean squared error of its guess
# (equation 14 of [Ho et al., 2020](https://arxiv.org/abs/2006.11239)):
#
# $$L(\theta) = \mathbb E_{x_0,\,\varepsilon,\,t}\;\bigl\|\,\varepsilon - \varepsilon_\theta(x_t, t, c)\,\bigr\|^2$$
#
# $\varepsilon_\theta$ is the network, $\theta$ its weights, $c$ the caption, $\mathbb E$ the mean over all draws. Many
# pictures and noises lead to the same $x_t$, so nobody can always be right. The guess with the least squared error is
# the *mean* of all that are possible: $\varepsilon_\theta(x_t, t, c) \approx \mathbb E[\varepsilon \mid x_t, c]$.
#
# Let us do it where you can see everything: a "picture" is a point, two numbers, and all our pictures lie on a spiral.
# No caption. The noise schedule is that of the large model.

# %%
turn = 3 * torch.pi * torch.rand(2000, 1, generator=torch.Generator().manual_seed(5)).sqrt()
data = torch.cat([turn * turn.cos(), turn * turn.sin()], 1) / 3  # [point, 2]
alpha_bar = pipe.scheduler.alphas_cumprod.float().cpu()

with torch.random.fork_rng(devices=[]):
    torch.manual_seed(0)
    layers = [part for into in (3, 128, 128) for part in (torch.nn.Linear(into, 128), torch.nn.SiLU())]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(128, 2))


def guess_noise(x, t):  # points [point, 2]; the net is told how strong the noise in them is
    return net(torch.cat([x, 4 * (1 - alpha_bar[t]).sqrt()[:, None] - 2], 1))


# %% [markdown]
# Now the training. Ten lines, some seconds on one core; Stable Diffusion was trained by the same ones:

# %%
optimizer, draw = torch.optim.Adam(net.parameters(), 5e-3), torch.Generator().manual_seed(0)
easing = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2500)
for _ in range(2500):
    x_0 = data[torch.randint(len(data), (256,), generator=draw)]
    t, eps = torch.randint(1000, (256,), generator=draw), torch.randn(256, 2, generator=draw)
    x_t = alpha_bar[t, None].sqrt() * x_0 + (1 - alpha_bar[t, None]).sqrt() * eps
    optimizer.zero_grad()
    (eps - guess_noise(x_t, t)).square().mean().backward()
    optimizer.step()
    easing.step()

# %% [markdown]
# ### One step of the loop
#
# The network guesses $\hat\varepsilon = \varepsilon_\theta(x_t, t, c)$. Solve the noising formula for the picture that
# belongs to this guess, and add the *same* noise again, a little weaker, as it is at the next step $s < t$. That is
# one step of **DDIM** (equation 12 of [Song et al., 2021](https://arxiv.org/abs/2010.02502), with $\sigma_t = 0$):
#
# $$\hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\,\hat\varepsilon}{\sqrt{\bar\alpha_t}}, \qquad
# x_s = \sqrt{\bar\alpha_s}\,\hat x_0 + \sqrt{1-\bar\alpha_s}\,\hat\varepsilon$$
#
# Why not stop at $\hat x_0$? The guess is a mean, so $\hat x_0$ is a mean too: at first the middle of the spiral,
# where few data lie, and with pictures a blur. A small step leaves less to guess; the next guess is sharper. Here are
# fifty steps:


# %% tags=["check"]
def ddim(x, t, s):
    eps = guess_noise(x, t.expand(len(x)))
    expected = (x - (1 - alpha_bar[t]).sqrt() * eps) / alpha_bar[t].sqrt()
    return alpha_bar[s].sqrt() * expected + (1 - alpha_bar[s]).sqrt() * eps


times = (999 * torch.linspace(1, 0, 51) ** 2).long()  # closer together where the noise is weak
states = [torch.randn(600, 2, generator=torch.Generator().manual_seed(1))]
with torch.no_grad():
    for t, s in zip(times[:-1], times[1:], strict=True):
        states.append(ddim(states[-1], t, s))


def dots(points):
    counts, *_ = np.histogram2d(*points.T.flip(0).numpy(), bins=60, range=[[-3.7, 3.7]] * 2)
    return 1 - np.clip(counts[::-1] / 2, 0, 1)


away = [float(torch.cdist(points, data).amin(1).mean()) for points in states]  # from the nearest point of the spiral
assert away[-1] < 0.15 < 0.4 < away[0] and away[30] > away[40] > away[50]
stops = [0, 20, 30, 40, 50]
shown = [dots(each) for each in (data[:600], *(states[k] for k in stops))]
figure = plots.strip(shown, ["data", *(f"step {k}" for k in stops)], size=(94, 94))
plots.described(figure, "Left, points on a spiral. Then 600 new points: a cloud that step by step becomes the spiral.")

# %% [markdown]
# Six hundred points that nobody has drawn, nearly all on the spiral: their mean distance from it fell from
# {{away[0]:.2f}} to {{away[-1]:.2f}}. Nothing else happens in Stable Diffusion. There a point has 16,384 numbers in
# place of two, the network is a UNet, and a caption says which part of the spiral you would like.
#
# ## The loop, by hand
#
# Words first. The **tokenizer** cuts the prompt into pieces, the **text encoder** turns each piece into a vector.
# Start, end and empty places are pieces too.

# %%
pieces = pipe.tokenizer(prompt).input_ids
words, nothing = pipe.encode_prompt(prompt, runtime.device, 1, True)  # of the prompt, and of the empty prompt
print(pipe.tokenizer.convert_ids_to_tokens(pieces))
print(f"{words.shape[1]} places, {words.shape[2]} numbers each")

# %% [markdown]
# Now the loop, called **sampling**. It is all there is:
#
# 1. begin with noise;
# 2. let the UNet guess the noise twice, once without the prompt and once with it;
# 3. go from the first guess towards the second, and further: that is **classifier-free guidance** (below);
# 4. let the **scheduler** take a little of that noise away;
# 5. again, twenty times; then decode.
#
# Guidance is this formula ([Ho and Salimans, 2022](https://arxiv.org/abs/2207.12598), in the form that programs use):
#
# $$\hat\varepsilon = \varepsilon_\theta(x_t, t, \varnothing)
# + s\,\bigl(\varepsilon_\theta(x_t, t, c) - \varepsilon_\theta(x_t, t, \varnothing)\bigr)$$
#
# (Some schedulers want the latents scaled before the UNet sees them; the pipelines therefore call `scale_model_input`.
# DDIM's gives them back as they are, so our loop leaves it out.)
#
# $c$ is the prompt, $\varnothing$ the empty prompt, $s$ the guidance scale. The bracket is what the prompt changes in
# the guess. For it to exist, some captions were replaced by the empty one during training. $s = 1$ gives the plain
# guess with the prompt; a larger $s$ exaggerates it. (In the paper's letters $s = 1 + w$.)


# %%
@torch.no_grad()
def sample(prompt, seed, steps=settings["num_inference_steps"], scale=settings["guidance_scale"]):
    words, nothing = pipe.encode_prompt(prompt, runtime.device, 1, True)
    pipe.scheduler.set_timesteps(steps, device=runtime.device)
    latents, trail = noise(seed) * pipe.scheduler.init_noise_sigma, []
    for t in pipe.scheduler.timesteps:
        uncond = pipe.unet(latents, t, nothing).sample
        cond = pipe.unet(latents, t, words).sample
        eps = uncond + scale * (cond - uncond)
        step = pipe.scheduler.step(eps, t, latents)
        trail.append((latents, step.pred_original_sample))
        latents = step.prev_sample
    return decode(latents), trail


by_hand, trail = sample(prompt, seed=0)

# %% [markdown]
# Is this really what the pipeline does? The same seed must then give the same picture. And the formula of the DDIM
# step must give what the scheduler gave.

# %% tags=["check"]
gap = np.abs(np.asarray(by_hand, float) - np.asarray(paint(prompt, seed=0), float)).mean()
assert gap < 2, f"by hand and by pipeline differ by {gap:.1f} of 255"
t, s = pipe.scheduler.timesteps[:2].cpu()  # the trail's first step, in the latents of a picture
(first, expected), (second, _) = (tuple(each.float().cpu() for each in pair) for pair in trail[:2])
eps = (first - alpha_bar[t].sqrt() * expected) / (1 - alpha_bar[t]).sqrt()
by_formula = alpha_bar[s].sqrt() * expected + (1 - alpha_bar[s]).sqrt() * eps
rounding = 10 * torch.finfo(trail[0][0].dtype).eps  # in half precision it is coarse
assert (by_formula - second).abs().max() < rounding * second.abs().max()

# %% [markdown]
# It is. From now on `paint` does the work, and you know what is inside: the spiral and the clock are made by the same
# two formulas.
#
# ### What the model believes on the way
#
# At each step the guess of the noise is also a guess of the picture: take all of that noise away at once. Upper row:
# the latents as they are. Lower row: the picture that the model expects at that moment, $\hat x_0$.

# %% tags=["check"]
stops = [round(share * (len(trail) - 1)) for share in (0, 0.1, 0.2, 0.37, 0.58, 1)]
rows = [[decode(trail[step][which]) for step in stops] for which in (0, 1)]
shift = [float((trail[step][1] - trail[-1][1]).float().square().mean()) for step in stops]
assert shift[0] > shift[2] > shift[4] > shift[5] == 0
plots.described(
    plots.sweep(rows, ["now", "expected"], [f"step {step + 1}" for step in stops], size=(150, 150)),
    "Above, noise turns into a picture over the steps. Below, what the model expects: blurred shapes at first, which "
    "sharpen; large things are settled in the first steps.",
)

# %% [markdown]
# The large things are settled first: where something stands, and what it will roughly be. The last steps only polish.
# Whoever wants to steer has to come early. Many later lessons live on this one row of pictures.
#
# ## Guidance
#
# One knob at a time, the seed fixed. **Guidance** says how far the loop goes from "any picture" towards "a picture of
# these words". 1 is the plain guess with the prompt. Above that the words are exaggerated.

# %% tags=["check"]
scales = [1, 2, settings["guidance_scale"], 9, 15]
guided = {scale: paint(prompt, seed=1, guidance_scale=scale) for scale in scales}
away = [np.abs(np.asarray(image, float) - np.asarray(guided[1], float)).mean() for image in guided.values()]
assert away[0] == 0 and away[1] < away[2] and away[1] < away[4]
gaudy = [float(np.ptp(np.asarray(image, float), axis=2).mean()) for image in guided.values()]  # colour, of 255
checks.claim(runtime.lane, gaudy[4] > gaudy[2] > gaudy[0], "the more guidance, the more colour")
plots.described(
    plots.strip(list(guided.values()), [f"guidance {scale:g}" for scale in scales], size=(180, 180)),
    "One seed at guidance 1, 2, the lane's own, 9 and 15: the more guidance, the more colour.",
)

# %% [markdown]
# Too little, and the words are hardly heard. Too much, and colours burn and shapes harden. In between lies a plain of
# good values: Stable Diffusion 1.5 is mostly run at 7.5, the clay model at 4. More guidance is not more control. It
# shouts the whole sentence louder; it does not say which colour belongs to what.

# %% [markdown]
# ## Steps, and the scheduler
#
# The **steps** are how many stops sampling makes on the way from noise to a picture. Each costs two calls of the UNet.

# %% tags=["check"]
counts = [2, 4, 8, 20, 40]
stepped = {count: np.asarray(paint(prompt, seed=1, num_inference_steps=count), float) for count in counts}
error = {count: np.abs(image - stepped[40]).mean() for count, image in stepped.items()}
assert error[20] < error[8] < error[2]
checks.claim(runtime.lane, error[20] < error[2] / 2, "After some twenty steps little changes")
images = [image.astype(np.uint8) for image in stepped.values()]
plots.described(
    plots.strip(images, [f"{count} steps" for count in counts], size=(180, 180)),
    "One seed with 2, 4, 8, 20 and 40 steps, further apart at first than at the end.",
)

# %% [markdown]
# After some twenty steps little changes. The scheduler decides how long the strides are and how a stride uses what the
# ones before have found. Clever ones, such as DPM-Solver++ ([Lu et al., 2022](https://arxiv.org/abs/2211.01095)) and
# UniPC ([Zhao et al., 2023](https://arxiv.org/abs/2302.04867)), need fewer steps. Here each gets only eight. Those
# called "a" (ancestral) add fresh noise on the way, so they end somewhere else.

# %%
names = ["ddim", "pndm", "euler", "dpm++ 2m", "unipc", "euler a"]
drawn_by = [catalog.with_scheduler(pipe, name) and paint(prompt, seed=1, num_inference_steps=8) for name in names]
catalog.with_scheduler(pipe, "ddim")
clocks = [judge.look(image).has("clock") for image in drawn_by] if runtime.lane == "clay" else []
plots.described(plots.strip(drawn_by, names, size=(150, 150)), "One seed, eight steps, six schedulers.")

# %% [markdown]
# A better scheduler, a finer picture. The words are heard by the UNet alone: a scheduler does not read. But where it
# is undecided which thing comes, another scheduler may decide otherwise: of these {{len(clocks)}} pictures the judge
# sees a clock in {{sum(clocks)}}.
#
# `ddim` ([Song et al., 2021](https://arxiv.org/abs/2010.02502)) draws nothing at random, so it was good to read. The
# clay model ships with `ddpm` ([Ho et al., 2020](https://arxiv.org/abs/2006.11239)), the oldest of all: it adds a
# little fresh noise at each step, so the UNet looks again at what it has just painted, and may mend it.

# %%
pipe = catalog.load("text2img", lane=runtime.lane)  # with the scheduler that it ships with, from here on

# %% [markdown]
# ## The seed: draw your ticket
#
# Now the knob that changes everything. Sixteen seeds, one prompt, nothing else touched. Count for yourself before you
# go on: in how many of them do you see a **red** clock *and* a **blue** bench?

# %%
tickets = {seed: paint(prompt, seed) for seed in range(16)}
plots.described(
    plots.grid(list(tickets.values()), [f"seed {seed}" for seed in tickets], columns=8, size=(112, 112)),
    "Sixteen pictures from one prompt: some show a red clock and a blue bench, others do not.",
)

# %% [markdown]
# Such a list of things is a lottery, and everyone who has used one of these models knows it. You write two things and
# get one. You write a red clock and a blue bench, and one is missing, or, with Stable Diffusion, the clock is blue.
#
# Anybody can show you the good ones. We count. The judge looks at each picture, and each gets one of four verdicts.
# (The judge errs too: its card, `assets/models/clay-judge/README.md`, says how often.)


# %%
def verdict(picture):
    if runtime.lane != "clay":
        return "unknown"  # the judge was trained on clay; of photographs it knows nothing
    sight = judge.look(picture)
    clock, bench = sight.get("clock"), sight.get("bench")
    if not (clock and bench):
        return "missing"
    colours = clock.colour, bench.colour
    return {("red", "blue"): "right", ("blue", "red"): "swapped"}.get(colours, "leaked")


verdicts = {seed: verdict(picture) for seed, picture in tickets.items()}

# %% [markdown]
# - **right**: both there, both in their colour;
# - **missing**: one of the two is not there, or neither;
# - **swapped**: both there, the clock blue and the bench red;
# - **leaked**: both there, and a colour on the wrong thing, such as two red ones.

# %% tags=["nbval-ignore-output"]
print(dict(Counter(verdicts.values())))
plots.described(
    plots.grid(list(tickets.values()), [f"{seed}: {name}" for seed, name in verdicts.items()], 8, (94, 94)),
    "The sixteen pictures again, each with the judge's verdict: right, missing, swapped or leaked.",
)

# %% [markdown]
# ### How sure are we?
#
# Sixteen tickets are few. With another sixteen the share would be another one. The **Wilson interval** ([Wilson,
# 1927](https://doi.org/10.1080/01621459.1927.10502953)) says which true rates would make what we saw believable, with
# 95 % confidence. Read the interval, not the number.

# %% tags=["nbval-ignore-output"]
groups = {
    "both there": {"right", "swapped", "leaked"},
    "all right": {"right"},
    "swapped": {"swapped"},
    "leaked": {"leaked"},
}


def rates(verdicts):
    return {name: metrics.rate([one in group for one in verdicts]) for name, group in groups.items()}


def drawn(rates, title):
    ends = {name: (rate.low, rate.high) for name, rate in rates.items()}
    return plots.bars({name: rate.value for name, rate in rates.items()}, ends, title=title, form="{:.0%}")


lottery = rates(verdicts.values()) if runtime.lane == "clay" else {}
plots.described(
    drawn(lottery, f"{prompt}, {len(tickets)} seeds"),
    "Bars with intervals, in per cent of the sixteen pictures: "
    + ", ".join(f"{name} {rate.value:.0%} ({rate.low:.0%} to {rate.high:.0%})" for name, rate in lottery.items()),
) if lottery else "Not known on this lane: the judge reads clay."

# %% [markdown]
# **This is the baseline.** Whatever promises control in this course, an edge map, a pose, attention, a ControlNet, has
# to beat what its own prompt and seeds give without it, with the same judge. Lessons 04 and 07 come back to the clock
# and the bench.
#
# And the large model? Others have counted Stable Diffusion. Of its pictures of two things, 54.7 % lacked one, or 66.0
# % counted strictly; where each thing was given a colour, the colours leaked in 88.5 % (tables 3 and 4 of *Predicated
# Diffusion*, [Sueyoshi and Matsubara, 2023](https://arxiv.org/abs/2311.16117)). Clay scenes are easier than
# photographs, so do not hold our number against these: it is the same kind of count, in another world.

# %% [markdown]
# ## Why it fails
#
# Perhaps the model does not know what a red clock is? Ask for the two alone.

# %% tags=["nbval-ignore-output"]
alone = {
    (word, colour): [paint(f"a {colour} {word}", seed) for seed in range(5)]
    for word, colour in (("clock", "red"), ("bench", "blue"))
}
single = [
    judge.look(image).has(word, colour)
    for (word, colour), images in alone.items() for image in images if runtime.lane == "clay"
]  # fmt: skip
print("right when asked for alone:", metrics.rate(single) if single else "not known on this lane")
plots.described(
    plots.strip(sum(alone.values(), []), size=(100, 100)),
    "Five pictures of a red clock and five of a blue bench, each asked for alone.",
)

# %% tags=["check"]
assert len(verdicts) == 16 and set(verdicts.values()) <= {"right", "missing", "swapped", "leaked", "unknown"}
if runtime.lane == "clay":
    kinds, both_right = Counter(verdicts.values()), lottery["all right"].value
    checks.claim(runtime.lane, metrics.rate(single).value >= 0.8, "So it knows the words")
    both_come = metrics.rate(single).value > both_right > 0
    checks.claim(runtime.lane, both_come, "Together one of them often gets lost")
    forgets = kinds["missing"] > kinds["swapped"] + kinds["leaked"]
    checks.claim(runtime.lane, forgets, "Clay mostly forgets")
    between = [np.abs(np.asarray(tickets[seed], float) - np.asarray(tickets[0], float)).mean() for seed in range(1, 5)]
    turned = [np.abs(np.asarray(guided[scale], float) - np.asarray(guided[9], float)).mean() for scale in (2, 15)]
    checks.claim(runtime.lane, np.mean(between) > max(*turned, error[20]), "Most of that the seed decides")

# %% [markdown]
# The line above says how often they come out alone. So it knows the words. Together one of them often gets lost.
# Exchange the two colours in the prompt, keep the seeds, and look at the same noise once more:

# %% tags=["check"]
exchanged = "a blue clock and a red bench"
pairs = [[tickets[seed] for seed in range(4)], [paint(exchanged, seed) for seed in range(4)]]
asked = ["red clock, blue bench", "blue clock, red bench"]
now = {"clock": "blue", "bench": "red"}
there = [one for image in pairs[1] for one in judge.look(image).things if one.word in now and runtime.lane == "clay"]
follows = [one.colour == now[one.word] for one in there]
checks.claim(runtime.lane, lambda: np.mean(follows) > 0.7, "Here the colours follow the words")
plots.described(
    plots.sweep(pairs, asked, [f"seed {seed}" for seed in range(4)], size=(150, 150)),
    "Four seeds, above with a red clock and a blue bench asked for, below with the colours exchanged.",
)

# %% [markdown]
# Here the colours follow the words: {{sum(follows)}} of the {{len(follows)}} clocks and benches below have the colour
# that is asked for now. But no picture is the other one with its colours exchanged: a word more or less moves
# everything, and may decide whether a thing comes at all.
#
# Nothing in Stable Diffusion ties a colour to a thing. The words come in as a row of vectors, and every place of the
# picture may look at every one of them. "Red" is looked at by the clock, and by whatever else is near. If the bench
# looks too, it turns red: the colour has **leaked**. And if one thing has taken the whole picture in the first steps,
# the other finds no place any more: it is **missing**, and nobody in the loop notices. No rule, no second look. (Clay
# mostly forgets. Its colours seldom leak, for it was taught where words belong; Stable Diffusion was not.)
#
# Captions teach it, too. Those of the web name one thing of several, or one that is not in the picture at all. Our
# clay model was given captions that name what is not there on purpose, so that it forgets as the large one does.
#
# What helps? Try more steps, more guidance, a longer prompt in the panel below, and count. Or draw again until you
# win, and pay for each ticket. Or take control: that is the rest of the course.

# %% [markdown]
# ## The panel
#
# All knobs of this lesson in one place. Try a **negative prompt**: it takes the place of the empty prompt in the loop,
# so guidance leads away from it. The code presses the button once for you.

# %% tags=["widget", "nbval-ignore-output"]
panel = widgets.text2img_panel(pipe, runtime, prompt="a red clock and a blue bench in the garden")
panel.generate.click()
panel.wait()
panel

# %% tags=["nbval-ignore-output"]
plots.described(panel.picture(), "The panel: fields and sliders for prompt, seed, steps, guidance; a picture.")

# %% [markdown]
# ## Exercises
#
# ### 01.1 · Several prompts at once (difficulty 1, 5 minutes)
#
# Guidance follows one prompt. Nothing forbids to follow several, each with a scale of its own: from the guess without
# a prompt each one pulls in its direction, and the pulls add up (*Compositional Visual Generation*, [Liu et al.,
# 2022](https://arxiv.org/abs/2206.01714)). Write `combined(uncond, conds, scales)`; `conds` lists the guesses with
# each prompt.


# %% tags=["exercise"]
def combined(uncond, conds, scales):
    return None  # your line


checks.check("01.1", combined)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `zip(conds, scales)` and `sum(...)`. How often does `uncond` itself count? Then put it into `sample`, with "a red
# clock" and "a blue bench" as two prompts, and see whether fewer tickets are blanks.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def combined(uncond, conds, scales):
#     return uncond + sum(scale * (cond - uncond) for cond, scale in zip(conds, scales, strict=True))
# ```
# </details>
#
# ### 01.2 · Another thing to guess (difficulty 3, 10 minutes)
#
# Stable Diffusion 2 at 768 pixels guesses not the noise but the **velocity** ([Salimans and Ho,
# 2022](https://arxiv.org/abs/2202.00512)), $v = \sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1-\bar\alpha_t}\,x_0$. Its
# scheduler needs the noise. Write `eps_from_v(x_t, v, alpha_bar)`, where `x_t` is mixed by the formula of this lesson.


# %% tags=["exercise"]
def eps_from_v(x_t, v, alpha_bar):
    return None  # your line; alpha_bar is a tensor with one number


checks.check("01.2", eps_from_v)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# Two equations, and $x_0$ stands in both. Multiply each by a root so that $x_0$ cancels when you add them. What do the
# factors of $\varepsilon$ add up to?
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def eps_from_v(x_t, v, alpha_bar):
#     return alpha_bar.sqrt() * v + (1 - alpha_bar).sqrt() * x_t
# ```
# </details>
#
# ### 01.3 · A verdict for any prompt (difficulty 2, 5 minutes)
#
# `verdict` knows one prompt. Write `all_there(sight, wanted)` for any: `wanted` is a dict such as
# `{"cat": "black", "crown": None}`, where None means that the colour does not matter. `sight.has(word, colour)` asks
# the judge.


# %% tags=["exercise"]
def all_there(sight, wanted):
    return None  # your line


checks.check("01.3", all_there)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# Python's `all(...)` over `wanted.items()`. With None as its colour, `sight.has` asks for the thing alone.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def all_there(sight, wanted):
#     return all(sight.has(word, colour) for word, colour in wanted.items())
# ```
# </details>
#
# ### 01.4 · Which seeds fail, and how? (difficulty 2, 5 minutes)
#
# Write `failures(verdicts)`: from `{seed: verdict}` to `{verdict: [seeds]}`, those that are right left out. Then look
# at `failures(verdicts)` of this lesson: try a map of lesson 04, or lesson 07's pushes, on just these seeds.


# %% tags=["exercise"]
def failures(verdicts):
    return None  # your lines


checks.check("01.4", failures)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# Go through `verdicts.items()`. `found.setdefault(name, [])` gives the list of a name, and makes it if there is none.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def failures(verdicts):
#     found = {}
#     for seed, name in verdicts.items():
#         if name != "right":
#             found.setdefault(name, []).append(seed)
#     return found
# ```
# </details>
#
# ### 01.5 · What a prompt costs (difficulty 3, 10 minutes)
#
# A prompt comes true with chance `p`. How many pictures must you draw to be `sure` (0.95, say) that at least one is
# right? `p` may be 0: then no number is enough. Put the rate of this lesson in, and you know what control is worth.


# %% tags=["exercise"]
def tickets_needed(p, sure):
    return None  # your lines


checks.check("01.5", tickets_needed)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# All of n pictures fail with chance $(1-p)^n$. That shall be at most $1 - $ `sure`. Solve for n with logarithms, round
# up, and think of p = 1 and of p = 0: `math.inf`.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# import math
#
# def tickets_needed(p, sure):
#     if p in (0, 1):
#         return 1 if p else math.inf
#     return math.ceil(math.log(1 - sure) / math.log(1 - p))
# ```
# </details>
#
# ### 01.6 · A longer list (open, difficulty 2, 15 minutes)
#
# Two things are a lottery. What of three, or four? Choose four things and colours of your own (`clay.vocabulary`
# lists the words). **Predict**, before you paint: how often will one, two, three, four of them all be there, in their
# colours? **Run** it, with at least eight seeds for each. **Measure** with `all_there` of 01.3, or, on sd15, with your
# eyes. `experiment()` gives a pair of dicts: `{1: 0.9, ...}`, what you expected, and `{1: [True, ...], ...}`, what you
# saw. The check says what it means. Then **explain** it in two sentences, with a picture that shows it.


# %% tags=["exercise"]
def experiment():
    return None  # your guess, and what you saw


checks.check("01.6", experiment)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# Slice the list of your things: the first one, the first two, and so on. `" and ".join(...)` makes the prompt.
# </details>
# <details><summary>Solution</summary>
#
# One of many, with guesses that are only ours. It paints 32 pictures.
#
# ```python
# def experiment():
#     things, seen = [("clock", "red"), ("bench", "blue"), ("cat", "black"), ("crown", "yellow")], {}
#     guess = {1: 0.9, 2: 0.5, 3: 0.2, 4: 0.1}
#     for count in guess:
#         wanted = things[:count]
#         prompt = " and ".join(f"a {colour} {word}" for word, colour in wanted)
#         sights = [judge.look(paint(prompt, seed)) for seed in range(8)]
#         seen[count] = [all(sight.has(*each) for each in wanted) for sight in sights]
#     return guess, seen
# ```
# </details>

# %% [markdown]
# ## Words of this lesson
#
# - **autoencoder**: two networks, one that shrinks a picture to latents and one that paints the picture again from
#   them.
# - **VAE**: a variational autoencoder, the kind that Stable Diffusion has.
# - **latents**: the small block of numbers that stands for a picture inside the model.
# - **noise schedule**: how much of the picture and how much noise there is at each noise step.
# - **training objective**: what training makes small; here the mean squared error of the guessed noise.
# - **DDIM**: a scheduler that adds no noise of its own: the guessed picture, noised again a little less.
# - **velocity**: a mix of noise and picture that some models guess in place of the noise.
# - **UNet**: the network that guesses the noise; it looks at the latents coarsely, then finely again.
# - **tokenizer**: cuts a prompt into pieces that the text encoder knows, the tokens.
# - **text encoder**: turns each token into a vector of numbers.
# - **CLIP**: a pair of networks that learned which captions belong to which pictures; Stable Diffusion uses its text
#   encoder.
# - **sampling**: making a picture: the loop from pure noise to clean latents.
# - **scheduler**: decides which noise steps sampling visits, and how much noise each takes away; also called sampler.
# - **steps**: how often the UNet is asked while one picture is made.
# - **classifier-free guidance**: exaggerating the difference that the prompt makes to the guessed noise.
# - **negative prompt**: words that guidance leads away from.
# - **leaked**: said of a colour that came to a thing for which it was not asked; papers call it attribute leakage.
# - **Wilson interval**: the rates that make an observed count believable, here with 95 % confidence.
#
# ## Read on
#
# - [What are diffusion models?](https://lilianweng.github.io/posts/2021-07-11-diffusion-models/), Lilian Weng, 2021:
#   the mathematics, from the beginning.
# - [The annotated diffusion model](https://huggingface.co/blog/annotated-diffusion), Rogge and Rasul, 2022: a
#   diffusion model in PyTorch, line by line.
# - [Denoising Diffusion Probabilistic Models](https://arxiv.org/abs/2006.11239), Ho et al., 2020: the paper.
#
# ## To take with you
#
# - A picture is noise from which a UNet takes the noise away, in small steps, pulled towards the words by guidance.
# - Steps, scheduler and guidance change how well a picture is painted, and, where much is undecided, what is on it.
#   Most of that the seed decides.
# - A prompt with two things and two colours is a lottery. You know the odds, with their interval: the baseline.
#
# **Next:** lesson 02, image to image. If words are not enough, show a picture.

# %%
env.release()
