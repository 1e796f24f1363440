# %% [markdown]
# {{badges}}
#
# # 08 · LoRA: teach it your own thing
#
# Five pictures, a made-up word and a minute and a half: then the model paints a thing that it has never seen. What it
# learned fits into a file no larger than a photograph, and you will see why, to the byte.

# %% [markdown]
# **You will**
# - teach the model a robot, live, and count how often it comes out right;
# - derive how large the file is, before it exists;
# - read what DreamBooth, LoRA and a few steps from a good start cost, and what each of them spoils;
# - merge two of them without a mistake, and see what they do to each other;
# - take your LoRA home.
#
# **You need** lesson 07. About four minutes on two cores and 2 GB of memory; on a Colab T4 3.6 GB of the card
# (computed, not yet measured).

# %% tags=["setup"]
# {{setup}}

# %% tags=["nbval-ignore-output"]
from contextlib import nullcontext

import numpy as np
import torch

from course_utils import (
    catalog,
    checks,
    clay,
    controls,
    editing,
    env,
    excite,
    judge,
    metrics,
    objectives,
    personalize,
    plots,
    results,
    widgets,
)
from course_utils.personalize import pretrained
from course_utils.results import personal

runtime = env.start(seed=0)

# %% [markdown]
# On the map of the course: two thin matrices join the weights of the UNet, and they alone are trained.

# %%
plots.diagram("map", here="08")

# %% [markdown]
# ## A thing without a word
#
# Here are five renders of one orange robot. Nothing that paints on the clay lane has met a robot. (The judge has: it
# must count them.) Above them: what the model makes of the words "a sks robot". **sks** is a word that our model has
# never read. It shall mean "this one": it is the **trigger**. (To Stable Diffusion it is a rifle, which may show
# through: take a rarer one there.) "robot" says what kind of thing it is: to Stable Diffusion, that is. Ours has never
# read that word either.

# %%
pipe = catalog.load("text2img", lane=runtime.lane)
settings = catalog.defaults(runtime.lane)
trigger, colour = "sks robot", pretrained.SUBJECTS["robot"]


def paint(prompt, seed, **changes):
    return pipe(prompt, generator=runtime.generator(seed), **(settings | changes)).images[0]


robot = personalize.subject("robot", 0, colour, tests=0, height=settings["height"], width=settings["width"])
plain = {seed: paint(f"a {trigger}", seed) for seed in range(5)}
plots.described(
    plots.sweep([list(plain.values()), [one.picture for one in robot.train]], ["asked for", "shown"],
                ["shown\n" + " ".join(example.caption.split()[-3:]) for example in robot.train], size=(130, 130)),
    "Above, five pictures that the model makes of 'a sks robot'. Below, the five that it shall learn from: one boxy "
    "orange robot at five places, in three of them with something beside it.",
)  # fmt: skip

# %% [markdown]
# Each picture has a caption, such as "a sks robot and a green box in the snow". What it names besides need not be part
# of what "sks robot" means: neither the place nor the box. The company is there on purpose: in our trials, five
# pictures of a robot alone taught "alone" as well. That is the whole data set.
#
# ## The idea
#
# To learn is to change weights. **DreamBooth** ([Ruiz et al., 2022](https://arxiv.org/abs/2208.12242)) changes all of
# them (**fine-tuning**), and a copy of the whole UNet must be kept for each robot. **LoRA**, low-rank adaptation ([Hu
# et al., 2021](https://arxiv.org/abs/2106.09685)), leaves each matrix $W$ alone and learns a change beside it that is
# the product of two thin ones:
#
# $$W' = W + \tfrac{\alpha}{r}\,B A, \qquad A: r \times \text{in}, \quad B: \text{out} \times r$$
#
# $r$ is the **rank**, 4 here. $\alpha$ is a scale; ours is $r$, so the fraction is 1. $A$ starts at random and $B$ at
# zero, so at first nothing is changed at all.

# %%
plots.diagram("lora", lane=runtime.lane)

# %% [markdown]
# The sizes are those of one layer of the UNet that you have loaded: keys of cross-attention, as in the next cell. By
# hand it is a module of ten lines, put in the place of the layer that it keeps:


# %% tags=["check"]
class LoRALinear(torch.nn.Module):
    def __init__(self, layer, rank, alpha, generator):
        super().__init__()
        self.layer, self.scale = layer.requires_grad_(False), alpha / rank
        a = torch.randn(rank, layer.in_features, generator=generator) / rank
        self.a = torch.nn.Parameter(a.to(layer.weight.device))
        self.b = torch.nn.Parameter(self.a.new_zeros(layer.out_features, rank))

    def forward(self, x):
        return self.layer(x) + (self.scale * (x.to(self.a) @ self.a.T @ self.b.T)).to(x)


layer = pipe.unet.up_blocks[-1].attentions[0].transformer_blocks[0].attn2.to_k
lora_layer = LoRALinear(layer, rank=4, alpha=4, generator=runtime.generator(1))
x = torch.randn(7, layer.in_features, generator=runtime.generator(2)).to(layer.weight)
assert torch.equal(lora_layer(x), layer(x)), "with B = 0 the layer is as it was"
thin = lora_layer.a.numel() + lora_layer.b.numel()
print(f"W holds {layer.weight.numel():,} numbers, A and B together {thin:,}")

# %% [markdown]
# ## How large is the file?
#
# For a matrix with `in` columns and `out` rows, $A$ and $B$ hold $r\,(\text{in} + \text{out})$ numbers in place of
# $\text{in} \cdot \text{out}$. Sum over all that are adapted, times four bytes a number. Which ones is a choice. For
# Stable Diffusion it is mostly those of attention: queries, keys, values and output. Our small UNet came to a better
# likeness with those of cross-attention and of the feed-forward layers behind it. The UNet of Stable Diffusion 1.5
# need not be downloaded for that: its configuration is enough.

# %% tags=["check"]
config = personalize.preset("lora", runtime.lane, rank=4)
unets = {"here": (pipe.unet, config.target_modules), "SD 1.5": (personalize.sd15_unet(), personalize.ATTENTION)}
per_rank = {name: personalize.parameters_per_rank(*each) for name, each in unets.items()}
for name, (unet, _) in unets.items():
    small, whole = 4 * config.rank * per_rank[name], 2 * unet.num_parameters()
    print(f"{name}: {per_rank[name]:,} numbers a rank, {small / 1e6:.2f} MB at rank 4; the whole UNet takes "
          f"{whole / 1e6:,.0f} MB in half precision, {whole / small:.0f} times as much")  # fmt: skip
assert per_rank["SD 1.5"] == 199_296

# %% [markdown]
# So a checkpoint of 1.7 GB becomes a file of 3 MB, and a short header that says what it is. Is so small a change
# enough to hold a robot? That has to be tried.
#
# ## The lesson, by hand
#
# The **training loss** is that of all diffusion models, derived in lesson 01 ([Ho et al.,
# 2020](https://arxiv.org/abs/2006.11239)): add noise to a picture, let the UNet guess it, compare. Put our layer in
# the place of each layer that is adapted, lock all else, and train four steps:

# %% tags=["check"]
latents, caption = editing.encode(pipe, robot.train[0].picture), robot.train[0].caption.format(trigger)
with torch.no_grad():  # the text encoder is not trained
    words = pipe.encode_prompt(caption, runtime.device, 1, False)[0]


def four_steps(trained):
    optimizer = torch.optim.AdamW(trained, lr=config.learning_rate)
    for step in range(4):
        with torch.autocast(runtime.device, runtime.dtype, enabled=runtime.dtype != torch.float32):
            loss = objectives.noise_loss(
                lambda noisy, t: pipe.unet(noisy, t, words).sample, latents, pipe.scheduler, runtime.generator(step)
            ).mean()
        (1024 * loss).backward()  # Adam does not mind the factor; gradients in half precision need it
        optimizer.step()
        optimizer.zero_grad()


pipe.unet.requires_grad_(False)
adapted = {name: layer for name, layer in pipe.unet.named_modules() if name.endswith(config.target_modules)}
draw = runtime.generator(1)
ours = {name: LoRALinear(layer, config.rank, config.rank, draw) for name, layer in adapted.items()}
starts = {name: layer.a.detach().clone() for name, layer in ours.items()}
for name, layer in ours.items():
    pipe.unet.set_submodule(name, layer)
four_steps([p for layer in ours.values() for p in (layer.a, layer.b)])
for name, layer in adapted.items():
    pipe.unet.set_submodule(name, layer)  # the very layers that stood there
assert sum(layer.a.numel() + layer.b.numel() for layer in ours.values()) == config.rank * per_rank["here"]
assert all(layer.b.isfinite().all() and layer.b.any() for layer in ours.values()), "B has left zero"

# %% [markdown]
# ### Then the library
#
# The same with [peft](https://huggingface.co/docs/peft), which diffusers uses: `LoraConfig` says which layers and how
# thin, `add_adapter` puts the layers in.

# %%
from peft import LoraConfig

lora_config = LoraConfig(r=config.rank, lora_alpha=config.rank, target_modules=[*adapted])
pipe.unet.add_adapter(lora_config, adapter_name="peft")

# %% [markdown]
# They are given the same first $A$, and the same four steps. Is the outcome the same? The cell holds that ten lines of
# ours and the library learn the same.

# %% tags=["check", "nbval-ignore-output"]
theirs = {name: pipe.unet.get_submodule(name) for name in adapted}
sides = {name: (layer.lora_A["peft"].weight, layer.lora_B["peft"].weight) for name, layer in theirs.items()}
for name, pair in sides.items():
    for p in pair:
        p.data = p.data.float()  # also beside a UNet in half precision
    pair[0].data.copy_(starts[name])
four_steps([p for pair in sides.values() for p in pair])
gap = max(float((b @ a - ours[name].b @ ours[name].a).abs().max().detach()) for name, (a, b) in sides.items())
largest = max(float((layer.b @ layer.a).abs().max().detach()) for layer in ours.values())
pipe.unet.unload_lora()
print(f"the changes are up to {largest:.4f} large, and differ by {gap:.1e} at most")
checks.claim(runtime.lane, gap < 0.02 * largest, "ten lines of ours and the library learn the same")

# %% [markdown]
# The lesson below uses the library, through `personalize.injected`: it takes the layers out when its block ends, and
# the UNet is as it was.
#
# ## The lesson, live
#
# The helper does the same, some hundreds of times, with a rate that rises and falls, pictures in a mirror, and a
# moving average of the weights. On the clay lane it also sees to it that the rest is **kept**. Before it begins, it
# asks the base what it guesses in noisy pictures of the robot *when it is told of something else*, such as "a horse".
# Half of each step is to guess just that again. This is **learning without forgetting** ([Li and Hoiem,
# 2016](https://arxiv.org/abs/1606.09282)): new pictures, old answers. So the robot comes to hang on its own words.
#
# It calls `watch` after each step. We let it paint one seed on the way. If you stop the cell, the same call goes on
# where it was.

# %% tags=["nbval-ignore-output"]
steps = config.max_train_steps
stops = [1, steps // 8, steps // 4, steps // 2, steps]
losses, film = {}, {}


def watch(progress):
    losses[progress.step] = progress.loss
    if progress.step in stops:
        film[progress.step] = progress.sample(seed=3)


lora = personalize.lora(pipe, robot.train, trigger, config, watch)
print(f"{lora.about.steps} steps, {lora.bytes:,} bytes of tensors")

# %% [markdown]
# Was the law right? And what did the film show?

# %% tags=["check", "nbval-ignore-output"]
assert lora.bytes == 4 * config.rank * per_rank["here"] and film, "the law of size holds to the byte"
lately = {step: np.mean([losses[k] for k in range(max(step - 49, min(losses)), step + 1)]) for step in film}
figure = plots.strip([*film.values()], [f"step {step}, loss {loss:.3f}" for step, loss in lately.items()], (140, 140))
plots.described(figure, f"One seed while the LoRA learns, after {', '.join(map(str, film))} steps.")

# %% [markdown]
# Compare the pictures, then the numbers above them, each the mean over the last fifty steps. The loss is mostly about
# which noise was drawn. It hardly tells what was learned. The pictures do. And the judge counts.
#
# ## Is it the robot?
#
# `personalize.attached` lets the pipeline paint with a LoRA for the length of a block. Sixteen seeds, seven places:


# %% tags=["check", "nbval-ignore-output"]
def taught(prompt, seed, *loras, weights=1.0):
    with personalize.attached(pipe, *loras, weights=weights):
        return paint(prompt, seed)


places = ["on the beach", "in the garden", "in the snow", "on the street", "in a room", "in the desert", "at night"]
learned = [taught(f"a {trigger} {places[seed % 7]}", seed, lora) for seed in range(16)]
if runtime.lane == "clay":
    true = personalize.subject("robot", 0, colour, tests=16).test
    sides = {"true renders": [one.picture for one in true], "without": plain.values(), "with": learned}
    seen = {name: [judge.look(one).has("robot", colour) for one in side] for name, side in sides.items()}
    found = {name: metrics.rate(each) for name, each in seen.items()}
    print(f"the {colour} robot is there:", "; ".join(f"{name} {rate}" for name, rate in found.items()))
    assert found["with"].value >= 0.8 > found["without"].value, "it has learned a robot in this colour"
figure = plots.grid(learned, [places[seed % 7] for seed in range(16)], columns=8, size=(96, 96))
plots.described(figure, "Sixteen pictures of 'a sks robot' with the LoRA, each at a place that was asked for.")

# %% [markdown]
# It was shown at five places, and asked for at seven. The judge asks for a robot *in this colour*: a grey one would
# not be the one that we showed. Shapes it does not tell apart. Whether it is *this* robot only you can see: look for
# its parts, the two arms, the hands, the dial on its chest. A picture that lost them is counted all the same.
#
# ### Does it still listen?
#
# A model that paints robots whatever you say has learned too well. So ask for something beside it, and, with the LoRA
# still attached, for something else altogether. At the left the base, asked with a cat in the robot's place; at the
# right the same seeds with the LoRA.

# %% tags=["check", "nbval-ignore-output"]
asks = {"a {} and a red ball in the garden": ("ball", "red"), "a brown dog in the garden": ("dog", "brown"),
        "a purple car in the snow": ("car", "purple")}  # fmt: skip
before = [[paint(prompt.format("cat"), seed) for seed in range(3)] for prompt in asks]
after = [[taught(prompt.format(trigger), seed, lora) for seed in range(3)] for prompt in asks]
if runtime.lane == "clay":
    found = [sum(judge.look(image).has(*it) for row, it in zip(side, asks.values(), strict=True) for image in row)
             for side in (before, after)]  # fmt: skip
    beside = sum(judge.look(one).has("robot", colour) for one in after[0])
    print(f"ball, dog and car are there in {found[0]} of 9 pictures of the base, in {found[1]} with the LoRA; "
          f"the robot is there in {beside} of 3 with the ball")  # fmt: skip
    assert found[1] >= found[0] - 2, "it has forgotten what else there is"
figure = plots.sweep(
    [one + two for one, two in zip(before, after, strict=True)], ["+ red ball", "brown dog", "purple car"],
    [f"{name} {seed}" for name in ("base", "LoRA") for seed in range(3)], size=(110, 110))  # fmt: skip
plots.described(figure, "A thing and a red ball; a brown dog; a purple car: three seeds of the base, then the LoRA.")

# %% [markdown]
# ## One knob: the weight
#
# The change can be added at any strength $s$: $W + s\,BA$. 0 is the base, 1 is what was learned.

# %% tags=["check"]
weights = [0.0, 0.25, 0.5, 0.75, 1.0, 1.5]
turned = [np.asarray(taught(f"a {trigger}", 0, lora, weights=weight), float) for weight in weights]
assert np.abs(turned[0] - np.asarray(plain[0], float)).mean() < 1, "at weight 0 the pipeline is the base"
assert max(np.abs(image - turned[0]).mean() for image in turned) > 1 or runtime.lane == "sd15", "the weight matters"
plots.described(plots.strip([image / 255 for image in turned], weights, (130, 130)), "One seed at weights 0 to 1.5.")

# %% [markdown]
# ### "My LoRA does nothing"
#
# Measure before you guess. `norm` tells for each layer how large the change is beside the weights, $|BA| / |W|$. All
# zero: it was not trained. About a twentieth is enough for a robot; at some times that, pictures fall apart, as the
# end of this lesson shows. If the numbers are fine and nothing is to be seen, the trigger is missing in your prompt.
# (`attn1` is where places look at each other, `attn2` where they look at words, `ff` what each does with what it saw.)

# %% tags=["check", "nbval-ignore-output"]
change = personalize.norm(pipe, lora)
sizes = {kind: [v for k, v in change.items() if f".{kind}." in k] for kind in ("attn1", "attn2", "ff")}
size = {kind: round(float(np.median(values)), 3) for kind, values in sizes.items() if values}
about = all(0.02 < value < 0.12 for value in size.values())
checks.claim(runtime.lane, about, "About a twentieth is enough for a robot")
plots.described(plots.bars(size, title="Change beside the weights, median", form="{:.3f}"), f"Bars: {size}")

# %% [markdown]
# ## Three ways, one table
#
# - **DreamBooth** trains the whole UNet. So that it forgets less, it also sees pictures that the base itself painted
#   before, and the loss has two parts: subject + $\lambda$ × what shall be kept (equation 2 of its paper). That is
#   **prior preservation**. The paper's prior pictures are of the subject's class; our base knows no robots: they are
#   of horses, hats and other things, none of which the table asks for.
# - **LoRA** as above: the base's answers are kept, for the same words. Beside it the same with nothing kept: as many
#   pictures a step, all of them of the subject. The difference is what the keeping is worth.
# - **Few steps.** The video speaks of 15 steps in place of 1,000 and names no paper; that it means E4T ([Gal et al.,
#   2023](https://arxiv.org/abs/2302.12228)) is our inference: it promises "a single image and 5-15 tuning steps". Its
#   idea: learn *beforehand*, on other things of the kind, where to begin. We keep that idea and leave out much: its
#   encoder, which looks at the picture and guesses a word for it; its domains, such as faces; and we show five
#   pictures. Our start is a LoRA found by **Reptile** ([Nichol et al., 2018](https://arxiv.org/abs/1803.02999)): learn
#   one subject after another for ten steps each, and go part of the way every time. The start for robots has met
#   dragons and teapots, never a robot.
#
# A whole domain, such as the clothes of which the video shows a model, is out of reach of five pictures by any of
# these ways: that takes a data set with captions, as the base itself did.
#
# On Stable Diffusion 1.5 this course trains LoRAs only. DreamBooth needs the whole UNet in single precision there,
# with its gradients and Adam's two means: 13 GB beside the pipeline (computed), and a T4 has no room for both.
#
# Beside them stand LoRAs of ten steps without the start, at the same rate and at three times the rate: what the start
# is worth is the difference to the better one. Before you look: do you believe the promise?

# %% tags=["check", "nbval-ignore-output"]
table = results.read("personal")
print(personal.report(table.rows))
ways = personal.by_way(table.rows)
subject, kept, company = personal.SUBJECT, personal.WITH, {}
for word in pretrained.SUBJECTS:
    rates = personal.by_way(table.where(word=word))["LoRA"].rates
    company[word] = rates[kept].value
    print(f"LoRA, {word}: " + ", ".join(f"{facet} {rate.value:.0%}" for facet, rate in rates.items()))
assert ways["DreamBooth"].bytes >= 50 * ways["LoRA"].bytes and ways["LoRA"].rates[subject].value >= 0.8
for facet in (kept, personal.OTHER):
    assert ways["LoRA"].rates[facet].value >= ways["base"].rates[facet].value - 0.1, "it obeys less than the base"
for answers, without, facet in ((personal.LORA, personal.FREE, personal.OTHER), (personal.HELD, personal.WHOLE, kept)):
    better = ways[answers].rates[facet].low > ways[without].rates[facet].high
    checks.claim(runtime.lane, better, "With the base's answers both methods are better than without")
few = max(ways[way].rates[subject].value for way in personal.FEW)
checks.claim(runtime.lane, few < 0.1, "After 15 steps the subject is hardly ever there")
good, poor = min(company["robot"], company["dragon"]), company["teapot"]
checks.claim(runtime.lane, good > 0.4 and poor < 0.2, "keeps good company, that of the teapot hardly ever")
dragon_free = personal.by_way(table.where(word="dragon"))[personal.FREE].intruded.value
costly = ways["10 steps"].rates[personal.OTHER].high < ways["10 steps, no start"].rates[personal.OTHER].low
checks.claim(runtime.lane, costly, "the start has cost much of the *other things*")

# %% [markdown]
# Three subjects, the same pictures for all, the judge's count. *The subject*: the thing, in its colour. *With
# something else*: both are there, in their colours; the base was asked with a cat in the subject's place. *Other
# things*: prompts without the subject. *Intruded*: the subject came where nobody had asked for it. Read the intervals:
# where two of them overlap widely, the table does not say which way is better. And they count pictures: behind each
# line stand three trainings only, and a fourth subject may differ by more. These differ: the LoRA of robot and dragon
# keeps good company, that of the teapot hardly ever.
#
# **What you keep matters as much as what you train.** With nothing kept, the dragon's LoRA puts a dragon into
# {{dragon_free:.0%}} of the pictures of something else. With the base's answers both methods are better than without:
# the LoRA than with nothing, DreamBooth than with pictures, and it is quicker, for nothing has to be painted first.
# Two dozen pictures can be learned by heart: in our trials a purple car turned blue, like the car among them. The
# answers are about the very pictures of the subject, and only the words are others: there is no car to be learned by
# heart.
#
# Seconds are those of the machine that made the table, so compare them with each other only. Bytes are exact: half
# precision for the whole UNet, single for the LoRAs. The seconds of few steps leave out the start. It was paid once,
# for all subjects of its kind.
#
# **The promise is not kept here.** After 15 steps the subject is hardly ever there, and the start has cost much of the
# *other things*. That is what *our* start is worth, and no verdict on E4T: the encoder that we left out is most of it,
# and its domains are narrow. Whoever has met many faces is quick with one more. Ours has met dragons and teapots, and
# they are a poor school for robots.
#
# ## Merge, and take it out again
#
# A LoRA that is attached costs a little time in every layer. It can also be added to the weights for good
# (**merged**), $W \leftarrow W + s\,BA$, and then costs nothing. To undo that, subtracting is not enough: it leaves
# rounding errors. So `merge` gives back what the weights were.


# %% tags=["check", "nbval-ignore-output"]
@torch.no_grad()
def guess():
    noise = torch.randn(latents[:1].shape, generator=runtime.generator(5)).to(latents)
    return pipe.unet(noise, 500, words[:1]).sample.float()


base = guess()
with personalize.attached(pipe, lora, weights=0.8):
    beside = guess()
kept = personalize.merge(pipe, lora, weight=0.8)
inside = guess()
personalize.unmerge(pipe, kept)
print(f"the LoRA moves the guess by {float((beside - base).abs().max()):.3f}")
print(f"merged or attached: {float((inside - beside).abs().max()):.1e} apart; taken out again: "
      f"{float((guess() - base).abs().max()):.1e} from the base")  # fmt: skip
assert torch.equal(guess(), base) and not torch.equal(beside, base)
apart = (inside - beside).abs().max()
assert runtime.lane == "sd15" or apart < 1e-4 * base.abs().max(), "merged is as good as attached"

# %% [markdown]
# ### The trap of the cross terms
#
# Two LoRAs into one file: why not add the $A$s and add the $B$s? Multiply it out:
#
# $$(B_1 + B_2)(A_1 + A_2) = B_1 A_1 + B_2 A_2 + \underbrace{B_1 A_2 + B_2 A_1}_{\text{nobody has learned this}}$$
#
# [One of the first LoRA tools](https://github.com/cloneofsimo/lora) gave just that as its formula. `personalize.add`
# stacks them instead: ranks add up, and the sum is exact. How large is the unlearned part?

# %% tags=["check", "nbval-ignore-output"]
dragon = pretrained.load("dragon", pipe)  # on sd15 it is learned now, and kept
name = next(iter(lora.pairs()))
(a1, b1), (a2, b2) = lora.pairs()[name], dragon.pairs()[name]
right, naive = b1 @ a1 + b2 @ a2, (b1 + b2) @ (a1 + a2)
a12, b12 = personalize.add(lora, dragon).pairs()[name]
assert torch.allclose(b12 @ a12, right, atol=1e-5) and torch.allclose(naive - right, b1 @ a2 + b2 @ a1, atol=1e-5)
print(f"{name}: the cross terms are {float((naive - right).norm() / right.norm()):.0%} of what was learned")

# %% [markdown]
# They do not look like an error: the file loads, and something is painted. Only the numbers tell.
#
# ## Two at once
#
# Added exactly, each LoRA still changes the very layers that the other one uses. Do they leave each other alone? An
# **interference matrix** tells: rows are what is attached, columns what is asked for, a field the mean score. If
# nothing interfered, the row "both" would hold the better of the two rows above it wherever one thing is asked for,
# and their sum where both are.

# %% tags=["check", "nbval-ignore-output"]
table = personal.matrix(results.read("interference").where(pair="robot + dragon"))
values, asks = [list(line.values()) for line in table.values()], ["robot", "dragon", "both", "a cat"]
assert list(table) == ["none", "robot", "dragon", "both"] and table["robot"] != table["none"]
spoiled = values[3][0] < values[1][0] - 0.1 and values[3][1] < values[2][1] - 0.1 and values[3][2] < 0.2
checks.claim(runtime.lane, values[3][3] > 0.8, "A cat still comes")
checks.claim(runtime.lane, spoiled, "neither was taught to leave the *other one* alone")
scores = "; ".join(f"{on}: " + ", ".join(f"{value:.2f}" for value in line.values()) for on, line in table.items())
figure = plots.matrix(values, list(table), asks, "asked for", "attached")
plots.described(figure, f"Scores, 0 to 1, for {', '.join(asks)}, by what is attached. {scores}.")

# %% [markdown]
# The score is the share of the things asked for that are there, each subject in its colour. Go along the row "both"
# and hold each field against those above it. A cat still comes ({{values[3][3]:.2f}}, and {{values[0][3]:.2f}} with
# none attached), for both LoRAs were taught to leave other words alone; the score asks only whether there is a cat.
# But neither was taught to leave the *other one* alone: of the robot {{values[1][0]:.2f}} alone became
# {{values[3][0]:.2f}}, of the dragon {{values[2][1]:.2f}} became {{values[3][1]:.2f}}. You may suspect the word "sks",
# which they share. In a trial a dragon with a rare word of its own was spoiled less, and the robot was gone all the
# same. A sample, live, with the two sliders turned against each other:

# %% tags=["nbval-ignore-output"]
shares = [(1.0, 0.0), (1.0, 0.5), (1.0, 1.0), (0.6, 0.6), (0.5, 1.0), (0.0, 1.0)]
mixed = [taught(f"a {trigger} and a sks dragon", 1, lora, dragon, weights=share) for share in shares]
figure = plots.strip(mixed, [f"robot {one:g}, dragon {two:g}" for one, two in shares], size=(125, 125))
plots.described(figure, "One seed of a robot and a dragon: the robot's LoRA alone, over both, to the dragon's alone.")

# %% [markdown]
# ## A style
#
# Nothing says that it must be a thing. Five pencil drawings, captions such as "a pencil picture of a cat in the snow",
# and the trigger stands for *how* instead of *what*. Here it is on a lion, and beside the robot's own LoRA.

# %% tags=["check", "nbval-ignore-output"]
pencil = pretrained.load("pencil", pipe)
asked = "a pencil picture of a {} on the beach".format
drawn = [paint(asked("lion"), 2), taught(asked("lion"), 2, pencil), taught(asked(trigger), 2, lora, pencil)]
hue = [float(np.ptp(np.asarray(one, float), axis=2).mean()) for one in drawn]
checks.claim(runtime.lane, hue[1] < hue[0] / 2, "The lion is drawn in pencil")
checks.claim(runtime.lane, lambda: not judge.look(drawn[2]).has("robot"), "something is drawn, and it is no robot")
figure = plots.strip(drawn, ["base", "pencil", "robot + pencil"], (160, 160))
plots.described(figure, "A lion; the same with the pencil's LoRA; and what both LoRAs make of a sks robot in pencil.")

# %% [markdown]
# The lion is drawn in pencil. The robot is not: something is drawn, and it is no robot. Neither LoRA had the words of
# the other in its captions, and both were taught to leave other words alone. What would you show it, to get a robot in
# pencil?
#
# ## With the other controls
#
# Our LoRA changes the UNet, nothing else (others often adapt the text encoder too: `train_text_encoder=True`). So
# whatever works around a UNet works with it. A ControlNet (lesson 04, [Zhang et al.,
# 2023](https://arxiv.org/abs/2302.05543)) says where and in which pose. The map is that of the same robot in a scene
# that the LoRA has not seen.

# %%
scene = personalize.scene("robot", 0, index=personalize.subjects.TRAIN + 1, colour=colour)
hint = controls.from_truth(clay.render(scene, settings["height"], settings["width"]), "depth")
steered = catalog.load("controlnet", lane=runtime.lane, control="depth")
shown = []
for way in (nullcontext(), personalize.attached(steered, lora)):
    with way:
        image = steered(f"a {trigger} in the snow", image=hint, generator=runtime.generator(0), **settings).images[0]
        shown.append(image)
figure = plots.compare(hint, *shown, "depth map, seed 0", ("map", "without the LoRA", "with it"), (180, 180))
plots.described(figure, "A depth map of a robot; what fills it without the LoRA, and with it.")

# %% [markdown]
# And Attend-and-Excite (lesson 07, [Chefer et al., 2023](https://arxiv.org/abs/2301.13826)) sees to it that a word
# is looked at. The word may be one that was learned a minute ago.

# %% tags=["nbval-ignore-output"]
pair = [taught(f"a {trigger} and a tree", 0, lora)]
with excite.exciting(pipe, ["robot", "tree"], excite.AttendExciteConfig.for_lane(runtime.lane)):
    pair.append(taught(f"a {trigger} and a tree", 0, lora))
figure = plots.strip(pair, ["LoRA", "LoRA, both words excited"], size=(160, 160))
plots.described(figure, "A sks robot and a tree, with the LoRA, without and with Attend-and-Excite.")

# %% [markdown]
# ## The failure: too much of one thing
#
# Turn the weight up and ask for something else entirely:

# %% tags=["check"]
strong = [0.0, 0.5, 1.0, 1.5, 2.0, 4.0]
spoiled = [np.asarray(taught("a cat in the garden", 1, lora, weights=weight), float) for weight in strong]
assert np.abs(spoiled[-1] - spoiled[0]).mean() > np.abs(spoiled[2] - spoiled[0]).mean(), "more weight, more change"
figure = plots.strip([one / 255 for one in spoiled], [f"weight {weight:g}" for weight in strong], (140, 140))
plots.described(figure, "'a cat in the garden', one seed, with the robot's LoRA at weights 0 to 4.")

# %% [markdown]
# $BA$ is added whether the prompt says "sks" or not. Where the cat and the robot use the same directions of a matrix,
# the cat is bent as well. Look at weight 1, too: is its cat the base's cat, in shape and in colour? Half of each step
# was there to straighten it again, *at weight 1*. Far beyond, the layers get numbers that no training has prepared
# them for.
#
# Less weight helps at once. Others report that fewer steps help, more and more various pictures, captions that name
# what shall *not* be learned. All can be tried here, and `prior_loss_weight=0`, which keeps nothing.
#
# ## Take it home
#
# Colab forgets your files when the session ends. `save` writes safetensors with the base, the trigger, the rank and
# the steps inside, in the format that everybody's `pipe.load_lora_weights` reads. Then
# `personalize.send(path, "download")` or `"drive"`, which ask Colab.

# %% tags=["check"]
path = lora.save(env.cache_folder() / "loras" / "my-robot.safetensors")
again = personalize.read(path, pipe)
assert again.about == lora.about and all(torch.equal(again.tensors[key], lora.tensors[key]) for key in lora.tensors)
print(f"{path.name}: {again.about.trigger!r}, rank {again.about.rank}, for {again.about.base.name}")

# %% [markdown]
# `read` refuses a pickle, which could run any code, and a LoRA for another base: added to the wrong weights it would
# paint rubbish and say nothing. In any program that uses plain diffusers your file is used so: `load_lora_weights`
# puts it beside the weights, `set_adapters` turns the weight of each that is loaded.
# `fuse_lora` adds it into the weights, `unfuse_lora` takes it out again, and `unload_lora_weights` takes the layers
# away.

# %% tags=["check", "nbval-ignore-output"]
from diffusers.utils import logging

logging.set_verbosity_error()  # it would remark that the text encoder has no part in this file
pipe.load_lora_weights(path.parent, weight_name=path.name, adapter_name="robot")
pipe.set_adapters(["robot"], [0.8])
loaded = guess()
kept = {name: layer.weight.detach().clone() for name, layer in adapted.items()}
pipe.fuse_lora(adapter_names=["robot"])
fused = guess()
pipe.unfuse_lora()
pipe.unload_lora_weights()
left = max(float((layer.weight - kept[name]).abs().max().detach()) for name, layer in adapted.items())
for name, layer in adapted.items():
    layer.weight.data.copy_(kept[name])  # to the bit; taking a sum apart again leaves rounding errors
print(f"unfuse_lora left up to {left:.1e} in the weights")
far = [float((a - b).abs().max()) for a, b in ((loaded, beside), (fused, loaded))]
assert runtime.lane == "sd15" or far[0] < 1e-4, "plain diffusers attaches it as we do"
assert runtime.lane == "sd15" or far[1] < 1e-3, "fusing it changes nothing but the time"
assert torch.equal(guess(), base)

# %% [markdown]
# **Before you pass one on**, write down what others need: the base, the trigger, the weight that you recommend, and a
# licence. And ask. Five pictures of a person are enough to paint that person anywhere, so train on a face only if its
# owner agrees, to the training and to what will be made with it; take a LoRA of somebody down when they ask. The same
# is fair for an artist whose style is learned. The base's own licence (that of Stable Diffusion names uses that are
# forbidden) goes along with the file.
#
# Before a training starts, its memory is estimated; if it will not fit, nothing runs and the message says what to
# change. On a computer with several GPUs the same training is one line:
#
# ```bash
# accelerate launch --num_processes 2 -m course_utils.personalize lora PICTURES "sks robot" robot.safetensors
# ```
#
# ## The panel
#
# All of it without code: choose a subject or bring your own pictures, a trigger, a rank; watch the samples; stop when
# you like what you see, and keep it. Then paint, with a slider for each LoRA. The code teaches a teapot for a few
# steps only, so do not expect one. Both sliders stand at 1, and what you see is the robot that you taught above.

# %% tags=["widget", "nbval-ignore-output"]
panel = widgets.lora_panel(pipe, runtime, trigger, subject="teapot", steps=12, loras=[path], folder=path.parents[1])
panel.knobs["loras"].value = ((path.as_posix(), 1.0),)
for act in (panel.teacher.train.click, panel.wait, panel.generate.click, panel.wait):
    act()
panel

# %% tags=["nbval-ignore-output"]
plots.described(panel.picture(), "The panel: pictures to learn from, samples and loss; knobs and a picture.")

# %% [markdown]
# ## Exercises
#
# ### 08.1 · The law of size (difficulty 1, 5 minutes)
#
# Write `lora_bytes(shapes, rank)`: how many bytes the tensors of a LoRA take. `shapes` lists (out, in) of each adapted
# matrix, and a number is four bytes.


# %% tags=["exercise"]
def lora_bytes(shapes, rank):
    return None  # your line


checks.check("08.1", lora_bytes)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# $A$ is `rank` x in, $B$ is out x `rank`. Add them up for each matrix, then all matrices.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def lora_bytes(shapes, rank):
#     return 4 * rank * sum(rows + columns for rows, columns in shapes)
# ```
# </details>
#
# ### 08.2 · Make it thinner (difficulty 3, 10 minutes)
#
# How much of a change fits into rank 1, 2, 4? Write `squeeze(change, rank)`: from `change` [out, in], such as $BA$ or
# the difference between a tuned matrix and its base, to the pair `a` [rank, in] and `b` [out, rank] whose product
# `b @ a` is as near to it as that rank allows. With it a LoRA is made smaller, or made of a whole tuned UNet.


# %% tags=["exercise"]
def squeeze(change, rank):
    return None  # your lines


checks.check("08.2", squeeze)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `torch.linalg.svd(change, full_matrices=False)` gives `u`, `s`, `vh`: directions, the strongest first, and how strong
# each is. Keep the first `rank`, and let the strength go into one of the two.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# import torch
#
# def squeeze(change, rank):
#     u, s, vh = torch.linalg.svd(change, full_matrices=False)
#     return vh[:rank], u[:, :rank] * s[:rank]
# ```
# </details>
#
# ### 08.3 · Two in one, without cross terms (difficulty 3, 10 minutes)
#
# Write `put_together(first, second)`: each is a pair (a, b), and so is what you give back. Its $BA$ must be exactly
# the sum of theirs; its rank may be larger.


# %% tags=["exercise"]
def put_together(first, second):
    return None  # your lines


checks.check("08.3", put_together)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# Rows of A below each other, columns of B side by side: `torch.cat` with the right axis. Multiply it out in blocks.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# import torch
#
# def put_together(first, second):
#     (a1, b1), (a2, b2) = first, second
#     return torch.cat([a1, a2], 0), torch.cat([b1, b2], 1)
# ```
# </details>
#
# ### 08.4 · Learn, and do not forget (difficulty 2, 5 minutes)
#
# DreamBooth's loss. `errors` holds one error for each picture of a step: first `share` pictures of the subject, then
# prior pictures, as many as there are. Write `preserving(errors, share, weight)`: the mean of the first, plus `weight`
# times the mean of the others.


# %% tags=["exercise"]
def preserving(errors, share, weight):
    return None  # your line


checks.check("08.4", preserving)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# Two slices, two means. The mean over all pictures at once would be something else: try it with `weight` 0.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def preserving(errors, share, weight):
#     return errors[:share].mean() + weight * errors[share:].mean()
# ```
# </details>
#
# ### 08.5 · A knob of your own (open, difficulty 3, 20 minutes)
#
# Choose a knob: the weight of your LoRA, its rank or its steps (each value of these two is a training of a
# minute or two, with `personalize.preset("lora", runtime.lane, rank=1)`). **Predict** the value of three or more at
# which the subject is there *and* the rest of your prompt is still obeyed. **Run** your own prompt with eight seeds
# for each. **Measure** both with the judge, or, on sd15, with your eyes. `experiment()` gives the pair of what you
# expected, `0.5`, and what you saw, `{0.5: ([True, ...], [False, ...]), ...}`: for each picture whether the subject is
# there, and whether the rest is. Then **explain** the difference to your prediction.


# %% tags=["exercise"]
def experiment():
    return None  # the value that you expect to be best, and what you saw


checks.check("08.5", experiment)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# Paint each picture once, and ask the judge twice: `sight.has("robot", colour)`, and the same for the other thing.
# </details>
# <details><summary>Solution</summary>
#
# One of many, with a guess that is only ours. It paints 24 pictures.
#
# ```python
# def experiment():
#     prompt, seen = f"a {trigger} and a red ball in the garden", {}
#     for weight in (0.5, 1.0, 1.5):
#         sights = [judge.look(taught(prompt, seed, lora, weights=weight)) for seed in range(8)]
#         seen[weight] = [s.has("robot", colour) for s in sights], [s.has("ball", "red") for s in sights]
#     return 1.0, seen
# ```
# </details>

# %% [markdown]
# ## Words of this lesson
#
# - **fine-tuning**: training a finished model further, on new pictures.
# - **DreamBooth**: fine-tuning the whole UNet on a few pictures of one subject.
# - **LoRA**: low-rank adaptation: learning, beside each weight matrix, a change that is the product of two thin
#   matrices.
# - **rank**: how thin: the number of rows of A and of columns of B.
# - **trigger**: the words in a prompt that call for what was learned.
# - **training loss**: the number that training makes small; here the mean squared error of the guessed noise.
# - **prior preservation**: training on pictures of other things at the same time, so that they are not forgotten.
# - **learning without forgetting**: training on the model's own old answers at the same time.
# - **Reptile**: a way to find weights from which a new task is learned in few steps (meta-learning).
# - **merged**: said of a LoRA that was added to the weights, so that it costs no more time; diffusers says *fused*.
# - **interference matrix**: who is attached against what is asked for: how much two LoRAs disturb each other.
#
# ## Read on
#
# - [LoRA in diffusers](https://huggingface.co/docs/diffusers/training/lora), and [how to load and mix
#   several](https://huggingface.co/docs/diffusers/tutorials/using_peft_for_inference).
# - [DreamBooth](https://dreambooth.github.io/), Ruiz et al., 2022: the paper's own page, with what it can do and where
#   it fails.
# - [An Image is Worth One Word](https://arxiv.org/abs/2208.01618), Gal et al., 2022: textual inversion, which learns a
#   word and leaves the weights alone.
#
# ## To take with you
#
# - A LoRA is a thin change beside the weights: rank × (in + out) numbers for each matrix, zero at first, and gone when
#   you take it out.
# - Count three things, not one: is the subject there, is the rest of the prompt obeyed, is anything forgotten?
# - Say what shall be kept. The base's own answers keep more than pictures do. They double the batch, so each step
#   takes longer, but nothing has to be painted first.
# - LoRAs add exactly if you stack them, and still interfere, for they share the layers. Measure it.
#
# **Next:** lesson 09. You have taught it a thing. Now teach it a *control*: a ControlNet of your own.

# %%
env.release()
