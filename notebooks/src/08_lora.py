# %% [markdown]
# {{badges}}
#
# # 08 · LoRA: teach it your own thing
#
# Five pictures, a made-up word and a minute and a half: then the model paints a thing that it has never seen. What it
# learned fits into a file no larger than a photograph, and you will see why, to the byte.

# %% [markdown]
# **You will**
# - write a LoRA layer in ten lines, and teach the model a robot, live;
# - see what "low rank" means, and derive how large the file is before it exists;
# - read two tables: how to learn, and what to keep so that nothing else is spoiled;
# - merge a LoRA, combine two of them, and see what they do to each other;
# - take your LoRA home.
#
# **You need** lesson 07. About four minutes on two cores and 2 GB of memory; on a Colab T4 3.6 GB of the card
# (computed, not yet measured).

# %% tags=["setup"]
# {{setup}}

# %% tags=["nbval-ignore-output"]
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import torch

from course_utils import catalog, checks, clay, controls, editing, env, judge, objectives, personalize, plots, results
from course_utils import metrics, widgets
from course_utils.personalize import pretrained
from course_utils.results import personal

runtime = env.start(seed=0)
on_clay = runtime.lane == "clay"  # there a judge counts; on sd15 you look for yourself

# %% [markdown]
# On the map of the course: two thin matrices join the weights of the UNet, and they alone are trained.

# %%
plots.diagram("map", here="08")

# %% [markdown]
# ## A thing without a word
#
# Here are five renders of one orange robot. Nothing that paints on the clay lane has met a robot. (The judge has: it
# must count them.) Above them: what the model makes of the words "a sks robot". **sks** is a word that our model has
# never read. It shall mean "this one"; such a word is the **trigger**. The word "robot" shall say what kind of thing
# it is. Stable Diffusion knows that word, ours does not. (To Stable Diffusion "sks" is a rifle, which may show
# through: take a rarer word there.)

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
# ### A riddle: how can an unread word come to mean something?
#
# The text encoder will not be trained, so its vectors for "sks robot" stay as they are, before and after. What are
# they now? A tokenizer can spell any word: one that it knows is one token, others are cut into pieces, if need be into
# letters, such as "z", "y", "x". And the text encoder turns any tokens into *some* vectors, also those that it never
# met in training. How like are they to the vectors of words that it knows? (1: they point the same way.)

# %%
@torch.no_grad()
def heard(prompt):  # what the UNet gets to hear
    return pipe.encode_prompt(prompt, runtime.device, 1, False)[0]

at_first, others = heard(f"a {trigger}"), ("a cat", "a dog", "a red ball")
print({other: f"{torch.cosine_similarity(at_first, heard(other), -1).mean():.2f}" for other in others})

# %% tags=["remove-cell"]
assert pipe.tokenizer.tokenize("zyx") == ["z", "y", "x</w>"], "if need be into letters, such as z, y, x"

# %% [markdown]
# So the unread words already say something: always the same, and meaningless. That is enough. The vectors are a name
# tag; what is missing is somebody who answers to it. The LoRA teaches the *UNet* what to paint when it hears just
# these vectors. After the training we will look whether they are still the same.
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
# $r$ is the **rank**. $\alpha$ is a scale; ours is $r$, so the fraction is 1. $A$ starts at random and $B$ at zero, so
# at first nothing is changed at all.

# %%
plots.diagram("lora", lane=runtime.lane)

# %% [markdown]
# ### What can a thin product do?
#
# A column times a row is a whole table, but a simple one: each of its rows is the same row, made larger or smaller.
# That is rank 1. For example
#
# $$\begin{pmatrix}1\\2\\0\end{pmatrix}\begin{pmatrix}3&1&5\end{pmatrix}
# =\begin{pmatrix}3&1&5\\6&2&10\\0&0&0\end{pmatrix}$$
#
# A sum of $r$ such tables has rank $r$, and $BA$ is just that: column 1 of $B$ times row 1 of $A$, plus column 2 times
# row 2, and so on. How much fits into few of them? A grey picture is a matrix, too. Here is the robot in the best
# tables of rank 1, 4 and 16. (The singular value decomposition, SVD, finds them: it sorts a matrix into columns times
# rows, the strongest first.) Predict: at which rank do you recognise it?

# %%
grey = torch.from_numpy(np.asarray(robot.train[0].picture.convert("L"), np.float32))
ranks = {f"rank {rank}": personalize.low_rank(grey, rank) for rank in (1, 4, 16)}
shown = [each.clamp(0, 255).byte().numpy() for each in (*ranks.values(), grey)]
figure = plots.strip(shown, [*ranks, f"all {min(grey.shape)}"], (150, 150))
plots.described(figure, "A grey picture of the robot as a matrix of rank 1, 4 and 16, and whole.")

# %% [markdown]
# What is simple needs few tables; fine detail needs many. LoRA bets that the *change* from "knows no robot" to "paints
# this robot" is simple, though the weights themselves are not. In this lesson the rank is 4.
#
# ### Ten lines
#
# The sizes in the drawing are those of one layer of the UNet that you have loaded: keys of cross-attention, as in the
# next cell. By hand it is a module of ten lines, put in the place of the layer that it keeps. (PyTorch keeps one input
# in each *row* of `x`, so $BAx$ is written from the other side, with both matrices transposed.)


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
    thin, whole = config.rank * per_rank[name], unet.num_parameters()
    print(f"{name}: {thin:,} numbers, {4 * thin / 1e6:.2f} MB; the whole UNet {whole / 1e6:,.0f} M numbers, "
          f"{whole / thin:.0f} times as many")  # fmt: skip
assert per_rank["SD 1.5"] == 199_296, "as many for each rank as its LoRA files have"

# %% [markdown]
# Whole checkpoints are mostly kept in half precision, two bytes a number, so 1.7 GB for this UNet. A LoRA of it is a
# file of 3 MB, and a short header that says what it is. Is so small a change enough to hold a robot? That has to be
# tried.
#
# ## The lesson, by hand
#
# What is a training step? Four lines, always the same:
#
# 1. `loss = ...`: how wrong is the model? The **training loss** is that of all diffusion models, derived in lesson 01
#    ([Ho et al., 2020](https://arxiv.org/abs/2006.11239)): add noise to a picture, let the UNet guess it, compare.
# 2. `loss.backward()`: for each trained number its slope, as in lesson 07.
# 3. `optimizer.step()`: move each number against its slope. The optimizer of lesson 01 decides how far: Adam divides
#    by the usual size of that number's slope, so that all numbers learn at a similar speed. The **learning rate** is
#    the size of such a move.
# 4. `optimizer.zero_grad()`: forget the slopes, for the next step.
#
# First put our layer in the place of each layer that is adapted, and lock all else:

# %%
pipe.unet.requires_grad_(False)
adapted = {name: layer for name, layer in pipe.unet.named_modules() if name.endswith(config.target_modules)}
ours = {name: LoRALinear(layer, config.rank, config.rank, runtime.generator(1)) for name, layer in adapted.items()}
for name, layer in ours.items():
    pipe.unet.set_submodule(name, layer)

# %% [markdown]
# Then four steps on one picture and its caption, and out again: back come the very layers that stood there.

# %% tags=["check"]
latents, caption = editing.encode(pipe, robot.train[0].picture), robot.train[0].caption.format(trigger)
words = heard(caption)

def noise_guess(noisy, t):  # autocast: half precision, two bytes a number, on a GPU
    with torch.autocast(runtime.device, runtime.dtype, enabled=runtime.dtype != torch.float32):
        return pipe.unet(noisy, t, words).sample

def four_steps(trained):
    optimizer = torch.optim.AdamW(trained, lr=config.learning_rate)
    for step in range(4):
        loss = objectives.noise_loss(noise_guess, latents, pipe.scheduler, runtime.generator(step)).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

starts = {name: layer.a.detach().clone() for name, layer in ours.items()}
four_steps([p for p in pipe.unet.parameters() if p.requires_grad])  # the As and Bs alone
for name, layer in adapted.items():
    pipe.unet.set_submodule(name, layer)
assert all(layer.b.isfinite().all() and layer.b.any() for layer in ours.values()), "B has left zero"

# %% [markdown]
# ### Then the library
#
# The same with [peft](https://huggingface.co/docs/peft), which diffusers uses: `LoraConfig` says which layers and how
# thin, `add_adapter` puts the layers in. They are given the same first $A$, and the same four steps. Do ten lines of
# ours and the library learn the same?

# %% tags=["check", "nbval-ignore-output"]
from peft import LoraConfig

pipe.unet.add_adapter(LoraConfig(r=config.rank, lora_alpha=config.rank, target_modules=[*adapted]), "peft")
theirs = {name: pipe.unet.get_submodule(name) for name in adapted}
sides = {name: (layer.lora_A["peft"].weight, layer.lora_B["peft"].weight) for name, layer in theirs.items()}
for name, (a, b) in sides.items():
    a.data, b.data = starts[name].clone(), b.data.float()  # in single precision, also beside a UNet in half
four_steps([p for pair in sides.values() for p in pair])
gap = max(float((b @ a - ours[name].b @ ours[name].a).abs().max().detach()) for name, (a, b) in sides.items())
largest = max(float((layer.b @ layer.a).abs().max().detach()) for layer in ours.values())
pipe.unet.unload_lora()
print(f"the changes are up to {largest:.4f} large, and differ by {gap:.1e} at most")
assert gap < 0.02 * largest or not on_clay, "ten lines and the library learn the same"

# %% [markdown]
# They do. From here on we use the library, through `personalize.injected`: it takes the layers out when its block
# ends, and the UNet is as it was.
#
# ## The lesson, live
#
# The helper does the same some hundreds of times. The learning rate rises at first and falls at the end. On the
# average every second picture is mirrored. And what is kept is a moving average: the mean of the weights over the last
# steps, which is calmer than the last step alone.
#
# On the clay lane it also sees to it that the rest is **kept**. Before it begins, it asks the base what it guesses in
# noisy pictures of the robot *when it is told of something else*, such as "a horse". Half of each step is to guess
# just that again. This is **learning without forgetting** ([Li and Hoiem, 2016](https://arxiv.org/abs/1606.09282)):
# new pictures, old answers. So the robot becomes tied to its own words.
#
# The helper calls `watch` after each step. We let it paint one seed on the way. If you stop the cell, the same call
# goes on where it was. At the end: was the law of size right, and are the vectors of "a sks robot" still the same?

# %% tags=["check", "nbval-ignore-output"]
steps = config.max_train_steps
stops = [1, steps // 8, steps // 4, steps // 2, steps]
losses, film = {}, {}


def watch(progress):
    losses[progress.step] = progress.loss
    if progress.step in stops:
        film[progress.step] = progress.sample(seed=3)


lora = personalize.lora(pipe, robot.train, trigger, config, watch)
print(f"{lora.about.steps} steps, {lora.bytes:,} bytes of tensors")
assert lora.bytes == 4 * config.rank * per_rank["here"], "the law of size holds to the byte"
assert torch.equal(heard(f"a {trigger}"), at_first), "the words' vectors have not changed"
lately = {step: np.mean([losses[k] for k in range(max(step - 49, min(losses)), step + 1)]) for step in film}
figure = plots.strip([*film.values()], [f"step {step}, loss {loss:.3f}" for step, loss in lately.items()], (140, 140))
plots.described(figure, f"One seed while the LoRA learns, after {', '.join(map(str, film))} steps.")

# %% [markdown]
# The vectors are the same; the UNet has learned to answer to them. Compare the pictures, then the numbers above them,
# each the mean over the last fifty steps. The loss is mostly about which noise was drawn, so it hardly tells what was
# learned. The pictures do. And the judge counts.
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
if on_clay:
    true = personalize.subject("robot", 0, colour, tests=16).test
    sides = {"true renders": [one.picture for one in true], "without": plain.values(), "with": learned}
    seen = {name: [judge.look(one).has("robot", colour) for one in side] for name, side in sides.items()}
    print(f"passes for an {colour} robot:", "; ".join(f"{name} {sum(v)} of {len(v)}" for name, v in seen.items()))
    assert np.mean(seen["with"]) >= 0.8 > np.mean(seen["without"]), "it has learned a robot in this colour"
figure = plots.grid(learned, [places[seed % 7] for seed in range(16)], columns=8, size=(96, 96))
plots.described(figure, "Sixteen pictures of 'a sks robot' with the LoRA, each at a place that was asked for.")

# %% [markdown]
# It was shown at five places, and asked for at seven. The judge counts whatever passes for a robot *in this colour*: a
# grey one would not be the one that we showed. It does not tell one robot from another. Whether it is *this* robot
# only you can see: look for its parts, the two arms, the hands, the dial on its chest. A picture that lost some of
# them is counted all the same, here and in the tables below.
#
# ### Does it still listen?
#
# A model that paints robots whatever you say has learned too well. So ask for something beside it, and, with the LoRA
# still attached, for something else altogether. At the left is the base, asked for a cat where the LoRA is asked for
# the robot; at the right are the same seeds with the LoRA.

# %% tags=["check", "nbval-ignore-output"]
asks = {"a {} and a red ball in the garden": ("ball", "red"), "a brown dog in the garden": ("dog", "brown"),
        "a purple car in the snow": ("car", "purple")}  # fmt: skip
before = [[paint(prompt.format("cat"), seed) for seed in range(3)] for prompt in asks]
after = [[taught(prompt.format(trigger), seed, lora) for seed in range(3)] for prompt in asks]
if on_clay:
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
# The change can be added at any strength $s$: $W + s\,BA$. 0 is the base, 1 is what was learned. Above, the robot;
# below, with the same weights, a prompt that does not name it. What do you expect of the cat?

# %% tags=["check"]
weights, asks = [0.0, 0.5, 1.0, 1.5, 2.0, 4.0], {f"a {trigger}": 0, "a cat in the garden": 1}
turned = [[taught(prompt, seed, lora, weights=weight) for weight in weights] for prompt, seed in asks.items()]
assert metrics.psnr(turned[0][0], plain[0]) > 40, "at weight 0 the pipeline is the base"
figure = plots.sweep(turned, [*asks], weights, "weight", (130, 130))
plots.described(figure, "One seed of the robot and one of 'a cat in the garden', with the LoRA at weights 0 to 4.")

# %% tags=["remove-cell"]
twentieth = float(np.median([*personalize.norm(pipe, lora).values()]))
assert 0.02 < twentieth < 0.12, "About a twentieth is enough for a robot"

# %% [markdown]
# ### The failure: too much of one thing
#
# $BA$ is added whether the prompt says "sks" or not. Where the cat and the robot use the same directions of a matrix,
# the cat is bent as well. Half of each step taught the model to paint other things as before, but it was taught so *at
# weight 1*. Far beyond, the layers get numbers that no training has prepared them for: look at the last columns. Then
# look at weight 1: is its cat the base's cat, in shape and in colour?
#
# Less weight helps at once. Others report that it helps to train fewer steps, to show more and more various pictures,
# and to write captions that name what shall *not* be learned. All can be tried here, and `prior_loss_weight=0`, which
# keeps nothing (exercise 08.4).
#
# ### "My LoRA does nothing"
#
# Measure before you guess. `personalize.norm(pipe, lora)` tells for each layer how large the change is beside the
# weights, $|BA| / |W|$. All zero: it was not trained. About a twentieth is enough for a robot; the median of ours is
# {{twentieth:.3f}}. If the numbers are fine and nothing is to be seen, the trigger is missing in your prompt.
#
# ## How to learn, and what to keep
#
# Five pictures, several ways. `make results` has tried them on three subjects, the robot, a dragon and a teapot, and
# the judge has counted. Each table answers one question. A field is a share of 16 pictures (the subject) or of 32 (the
# other columns), for each of the three subjects:
#
# - *the subject*: something in its colour that passes for it;
# - *with something else*: both are there, in their colours (the base was asked with a cat in the subject's place);
# - *other things*: prompts without the subject are obeyed;
# - *intruded*: the subject came where nobody had asked for it.
#
# ### The whole UNet, or thin?
#
# DreamBooth trains all weights, LoRA the thin ones. Here both keep the rest in the same way, by the base's
# answers. (The steps are not equal, 300 and 500; the thin ones are quicker.)

# %% tags=["nbval-ignore-output"]
table = results.read("personal")
print(personal.report(table.rows, [personal.BASE, personal.HELD, personal.LORA]))

# %% tags=["remove-cell"]
ways = personal.by_way(table.rows)
rates = {word: personal.by_way(table.where(word=word)) for word in pretrained.SUBJECTS}
company = {word: learnt[personal.LORA].rates[personal.WITH].value for word, learnt in rates.items()}
subjects = [learnt[personal.LORA].rates[personal.SUBJECT].value for learnt in rates.values()]
assert min(subjects) >= 0.8 and ways[personal.LORA].rates[personal.SUBJECT].value >= 0.95, "The thin change is enough"
ratio = ways[personal.HELD].bytes / ways[personal.LORA].bytes
assert ratio >= 50 and ways[personal.LORA].seconds < ways[personal.HELD].seconds, "and it is the quicker one here"
poor = company["teapot"]
assert min(company["robot"], company["dragon"]) > 0.4 and poor < 0.2, "but hardly ever beside the teapot"

# %% [markdown]
# The thin change is enough: all three subjects are learned, and it is the quicker one here. Its file is {{ratio:.0f}}
# times smaller. But look along the line, not only at its first column: something else is often there beside the robot
# and the dragon, but hardly ever beside the teapot ({{poor:.0%}}). Three subjects differ that much, so a fourth may
# differ again.
#
# ### Keep nothing, pictures, or answers?
#
# DreamBooth's authors keep the rest by *pictures*: the model also trains on pictures that the base itself painted
# before, and the loss has two parts, subject + $\lambda$ × what shall be kept (equation 2 of their paper). That is
# **prior preservation**. Their prior pictures are of the subject's class; our base knows no robots, so ours are of
# horses, hats and other things, none of which the table asks for. Or keep *nothing*: as many pictures a step, all of
# the subject. Which do you expect to spoil most?

# %% tags=["nbval-ignore-output"]
print(personal.report(table.rows, [personal.FREE, personal.LORA, personal.WHOLE, personal.HELD]))

# %% tags=["remove-cell"]
dragon_free = rates["dragon"][personal.FREE].intruded.value
for answers, bare, facet in ((personal.LORA, personal.FREE, personal.OTHER),
                              (personal.HELD, personal.WHOLE, personal.WITH)):  # fmt: skip
    better = ways[answers].rates[facet].low > ways[bare].rates[facet].high
    assert better, "With the base's answers both methods are better than without"
assert ways[personal.LORA].seconds < ways[personal.WHOLE].seconds, "it is quicker"

# %% [markdown]
# **What you keep matters as much as what you train.** With nothing kept, the dragon's LoRA puts a dragon into
# {{dragon_free:.0%}} of the pictures of something else. With the base's answers both methods are better than without:
# the LoRA than with nothing, DreamBooth than with pictures. And it is quicker than pictures, for nothing has to be
# painted first. Two dozen pictures can be learned by heart: in our trials a purple car turned blue, like the car among
# them. The answers are about the very pictures of the subject, and only the words are others. There is no car to be
# learned by heart.
#
# On Stable Diffusion 1.5 this course trains LoRAs only. DreamBooth needs the whole UNet in single precision there,
# with its gradients and the two running means that Adam keeps for each number: 13 GB beside the pipeline (computed),
# and a T4 has no room for both. Five pictures teach one subject, by any of these ways. A whole domain, such as the
# clothes of which the video shows a model, takes a data set with captions.
#
# ## Merge, and take it out again
#
# While a LoRA is attached, each adapted layer computes two products more. It can also be added to the weights for
# good (**merged**), $W \leftarrow W + s\,BA$, and then costs no time. How do you get rid of it again? Subtract?
# Numbers in a computer are rounded: in half precision, a hundred LoRAs added and subtracted change a part of the
# weights for ever. So keep a copy. `personalize.merge` does, and `unmerge` puts it back. The cell shows both, the
# hundred LoRAs on one matrix and a merge of ours.

# %% tags=["check", "nbval-ignore-output"]
@torch.no_grad()
def guess():
    noise = torch.randn(latents[:1].shape, generator=runtime.generator(5)).to(latents)
    return pipe.unet(noise, 500, words[:1]).sample.float()

weight = tried = lora_layer.layer.weight.detach().half()
for change in torch.randn(100, *weight.shape, generator=runtime.generator(0)).to(weight) / 100:
    tried = (tried + change) - change
print(f"added and subtracted a hundred times: {float((tried != weight).float().mean()):.0%} of the weights differ")
base = guess()
with personalize.attached(pipe, lora, weights=0.8):
    beside = guess()
kept = personalize.merge(pipe, lora, weight=0.8)
print(f"merged or attached: {(guess() - beside).abs().max():.1e} apart, of {(beside - base).abs().max():.3f}")
personalize.unmerge(pipe, kept)
assert torch.equal(guess(), base), "to the last bit"

# %% [markdown]
# The names differ from tool to tool:
#
# | what it does | here | diffusers | costs time? | changes $W$? |
# |---|---|---|---|---|
# | put layers in and train them | `injected` | `add_adapter` | yes | no |
# | lay a finished LoRA beside the weights | `attached` | `load_lora_weights` | yes | no |
# | turn its weight | `weights=0.8` | `set_adapters` | - | no |
# | add it into the weights | `merge` | `fuse_lora` | no | yes |
# | take it out of the weights | `unmerge`: the copy | `unfuse_lora`: subtracts | - | back |
# | take the layers away | the end of the block | `unload_lora_weights` | - | no |
#
# ### The trap of the cross terms
#
# Two LoRAs into one file: why not add the $A$s and add the $B$s? Multiply it out:
#
# $$(B_1 + B_2)(A_1 + A_2) = B_1 A_1 + B_2 A_2 + \underbrace{B_1 A_2 + B_2 A_1}_{\text{nobody has learned this}}$$
#
# [One of the first LoRA tools](https://github.com/cloneofsimo/lora) gave just that as its formula. `personalize.add`
# stacks them instead: ranks add up, and the sum is exact. How large is the unlearned part, over all layers? And what
# does it paint? Above the exact sum, below the naive one:

# %% tags=["check", "nbval-ignore-output"]
dragon = pretrained.load("dragon", pipe)  # on sd15 it is learned now, and kept
exact = personalize.add(lora, dragon)
naive = replace(lora, tensors={name: lora.tensors[name] + dragon.tensors[name] for name in lora.tensors})
four = [[b @ a for _, (a, b) in sorted(each.pairs().items())] for each in (exact, naive, lora, dragon)]
sums = [torch.cat([change.flatten() for change in changes]) for changes in four]
cross = float((sums[1] - sums[0]).norm() / sums[0].norm())
assert torch.allclose(sums[0], sums[2] + sums[3], atol=1e-5), "stacked, the sum is exact"
asks = [f"a {trigger} in the garden", "a sks dragon in the garden", "a cat in the garden"]
rows = [[taught(prompt, 1, both) for prompt in asks] for both in (exact, naive)]
figure = plots.sweep(rows, ["exact", "naive"], asks, size=(130, 130))
plots.described(figure, "A robot, a dragon and a cat with both LoRAs at once: summed exactly, and summed naively.")

# %% tags=["remove-cell"]
assert cross > 0.3, "a large part of the change is one that nobody has learned"

# %% [markdown]
# The cross terms are {{cross:.0%}} as large as all that was learned: a large part of the change is one that nobody has
# learned. It does not look like an error: the file loads, and something is painted. Only the upper row is what you
# trained. But is the upper row what you *want*?
#
# ## Two at once
#
# Added exactly, each LoRA still changes the very layers that the other one uses. Do they leave each other alone? An
# **interference matrix** tells: rows are what is attached, columns what is asked for. A field is the mean score of 16
# pictures: the share of the things asked for that are there, each subject in its colour. If nothing interfered, the
# last row would hold the better of the two rows above it wherever one thing is asked for, and their sum where both
# are. Predict that row before you look.

# %% tags=["nbval-ignore-output"]
rows = results.read("interference").where(pair="robot + dragon")
values = [[*line.values()] for line in personal.matrix(rows).values()]
names, asks = ["nothing", "robot", "dragon", "robot + dragon"], ["robot", "dragon", "robot and dragon", "a cat"]
figure = plots.matrix(values, names, asks, "asked for", "attached")
plots.described(figure, f"Mean scores, 0 to 1, for {', '.join(asks)}; row by row, by what is attached: {values}.")

# %% tags=["remove-cell"]
assert len(rows) == 4 * 4 * 16, "the mean score of 16 pictures"
assert values[3][3] > 0.8, "A cat still comes"
spoiled = values[3][0] < values[1][0] - 0.1 and values[3][1] < values[2][1] - 0.1 and values[3][2] < 0.2
assert spoiled, "neither was taught to leave the *other one* alone"

# %% [markdown]
# A cat still comes ({{values[3][3]:.2f}}, and {{values[0][3]:.2f}} with nothing attached), because both LoRAs were
# taught to leave other words alone. (The score asks only whether there is a cat.) But neither was taught to leave the
# *other one* alone: the robot falls from {{values[1][0]:.2f}} alone to {{values[3][0]:.2f}}, the dragon from
# {{values[2][1]:.2f}} to {{values[3][1]:.2f}}. So the exact sum did not save them. It only makes sure that what you
# see is due to the two LoRAs and not to a slip of algebra. You may suspect the word "sks", which they share. In a
# trial a dragon with a rare word of its own was spoiled less, and the robot was gone all the same.
#
# ## A style
#
# Nothing says that it must be a thing. Five pencil drawings, captions such as "a pencil picture of a cat in the snow",
# and the trigger stands for *how* instead of *what*. Here it is on a lion, and beside the robot's own LoRA.

# %% tags=["nbval-ignore-output"]
pencil = pretrained.load("pencil", pipe)
asked = "a pencil picture of a {} on the beach".format
drawn = [paint(asked("lion"), 2), taught(asked("lion"), 2, pencil), taught(asked(trigger), 2, lora, pencil)]
figure = plots.strip(drawn, ["base", "pencil", "robot + pencil"], (160, 160))
plots.described(figure, "A lion; the same with the pencil's LoRA; and what both LoRAs make of a sks robot in pencil.")

# %% tags=["remove-cell"]
hue = [float(np.ptp(np.asarray(sheet, float), axis=2).mean()) for sheet in drawn]
assert hue[1] < hue[0] / 2, "The lion is drawn in pencil"
assert not judge.look(drawn[2]).has("robot"), "something is drawn, and it is no robot"

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
# that the LoRA has not seen. One picture shows how it is called, not how well it works.

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
# is looked at. It may be a word that was learned a minute ago:
#
# ```python
# from course_utils import excite
#
# with excite.exciting(pipe, ["robot", "tree"], excite.AttendExciteConfig.for_lane(runtime.lane)):
#     image = taught(f"a {trigger} and a tree", 0, lora)
# ```
#
# ## Take it home
#
# Colab forgets your files when the session ends. `save` writes safetensors with the base, the trigger, the rank and
# the steps inside, in the format that everybody's `pipe.load_lora_weights` reads. Then `personalize.send(path,
# "download")` or `"drive"`, which ask Colab. `read` refuses a pickle, which could run any code, and a LoRA for another
# base: added to the wrong weights it would paint rubbish and say nothing. In any program that uses plain diffusers
# your file is used as the last lines show.

# %% tags=["check", "nbval-ignore-output"]
path = lora.save(env.cache_folder() / "loras" / "my-robot.safetensors")
again = personalize.read(path, pipe)
assert again.about == lora.about and all(torch.equal(again.tensors[key], lora.tensors[key]) for key in lora.tensors)

from diffusers.utils import logging

logging.set_verbosity_error()  # it would remark that the text encoder has no part in this file
pipe.load_lora_weights(path.parent, weight_name=path.name, adapter_name="robot")
pipe.set_adapters(["robot"], [0.8])
loaded = guess()
pipe.unload_lora_weights()
assert (loaded - beside).abs().max() < 1e-4 or not on_clay, "plain diffusers attaches it as we do"
assert torch.equal(guess(), base), "and takes it away again"

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
# you like what you see, and keep it. Then paint, with a slider for each LoRA. The code moves the slider of your robot
# to 1 and paints once. Then teach it something of your own.

# %% tags=["widget", "nbval-ignore-output"]
panel = widgets.lora_panel(pipe, runtime, trigger, subject="teapot", loras=[path], folder=path.parents[1])
panel.knobs["loras"].value = ((path.as_posix(), 1.0),)
panel.generate.click()
panel.wait()
panel

# %% tags=["nbval-ignore-output"]
plots.described(panel.picture(), "The panel: pictures to learn from, samples and loss; knobs and a picture.")

# %% tags=["remove-cell"]
few = {short: ways[short].rates for short in (*personal.FEW, *personal.SHORT)}
last = few["15 steps"]
assert max(few[short][personal.SUBJECT].value for short in personal.FEW) < 0.1, "the subject is hardly ever there"
costly = few["10 steps"][personal.OTHER].high < few["10 steps, no start"][personal.OTHER].low
assert costly, "the start has cost much of the *other things*"

# %% [markdown]
# <details><summary>For the curious: what we tried for "few steps", and why it failed</summary>
#
# The video speaks of 15 steps in place of 1,000 and names no paper. Our guess is E4T ([Gal et al.,
# 2023](https://arxiv.org/abs/2302.12228)): learn *beforehand*, on other things of the kind, where to begin. We kept
# that idea and left out the rest, above all its encoder, which looks at the picture and guesses a word for it. Our
# start is a LoRA found by **Reptile** ([Nichol et al., 2018](https://arxiv.org/abs/1803.02999)): learn one subject
# after another for ten steps each, and go part of the way every time. The start for robots has met dragons and
# teapots.
#
# It failed. After 15 steps the subject is hardly ever there ({{last[personal.SUBJECT].value:.0%}}), and the start has
# cost much of the *other things*: after 10 steps {{few["10 steps"][personal.OTHER].value:.0%}} of them come, without
# the start {{few["10 steps, no start"][personal.OTHER].value:.0%}}. That is no verdict on E4T: its encoder is most of
# it, and it knows one narrow kind of thing, such as faces. Whoever has met many faces is quick with one more; dragons
# and teapots are a poor school for robots.
# </details>
#
# ## Exercises
#
# ### 08.1 · Which rank may it have? (difficulty 1, 5 minutes)
#
# A forum takes files of at most 1 MB. Write `largest_rank(shapes, limit)`: the largest rank whose tensors take at most
# `limit` bytes. `shapes` lists (out, in) of each adapted matrix, and a number is four bytes.

# %% tags=["exercise"]
def largest_rank(shapes, limit):
    return None  # your line

checks.check("08.1", largest_rank)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# How many bytes does rank 1 take? $A$ is `rank` x in, $B$ is out x `rank`.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def largest_rank(shapes, limit):
#     return limit // (4 * sum(rows + columns for rows, columns in shapes))
# ```
# </details>
#
# ### 08.2 · Make it thinner (difficulty 3, 10 minutes)
#
# How much of a change fits into rank 1 or 2? Write `squeeze(change, rank)`: from `change` [out, in], such as $BA$ or
# the difference between a tuned matrix and its base, to the pair `a` [rank, in] and `b` [out, rank] whose product `b @
# a` is as near to it as that rank allows. With it a LoRA is made smaller, or made of a whole tuned UNet. When the
# check is content, squeeze your own robot to rank 1 and paint it. Is it still the robot?
#
# ```python
# thinner = {name: squeeze(b @ a, 1) for name, (a, b) in lora.pairs().items()}
# tensors = {f"{name}.lora_{part}.weight": pair[part == "B"] for name, pair in thinner.items() for part in "AB"}
# taught(f"a {trigger}", 0, replace(lora, tensors=tensors, about=replace(lora.about, rank=1, alpha=1.0)))
# ```

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
# ### 08.4 · Keep nothing (open, difficulty 2, 15 minutes)
#
# What becomes of other things when nothing is kept? **Predict** in which share of the pictures of "a purple car in the
# snow" the purple car will be there: with `lora`, and with one that you train with `prior_loss_weight=0`. **Run** both
# on the same eight seeds or more (the training takes a minute or two). **Measure** with the judge, or, on sd15, with
# your eyes. Fill in the skeleton with a list of True and False for each. Then look: what stands where the car should?

# %% tags=["exercise"]
def forgetting():
    guess = {"kept": None, "nothing kept": None}  # shares from 0 to 1
    seen = {"kept": [], "nothing kept": []}  # for each seed: is the purple car there?
    return (guess, seen) if seen["kept"] else None

checks.check("08.4", forgetting)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `personalize.preset("lora", runtime.lane, rank=4, prior_loss_weight=0.0)` is the other training's config.
# </details>
# <details><summary>Solution</summary>
#
# One of many, with a guess that is only ours.
#
# ```python
# def forgetting():
#     config = personalize.preset("lora", runtime.lane, rank=4, prior_loss_weight=0.0)
#     loras = {"kept": lora, "nothing kept": personalize.lora(pipe, robot.train, trigger, config)}
#     asked = "a purple car in the snow"
#     cars = {name: [taught(asked, seed, one) for seed in range(8)] for name, one in loras.items()}
#     seen = {name: [judge.look(image).has("car", "purple") for image in side] for name, side in cars.items()}
#     return {"kept": 0.8, "nothing kept": 0.4}, seen
# ```
# </details>
#
# ### 08.5 · A knob of your own (open, difficulty 3, 20 minutes)
#
# Choose a knob: the weight of your LoRA, its rank or its steps (each value of these two is a training of a
# minute or two, with `personalize.preset("lora", runtime.lane, rank=1)`). **Predict** the value of three or more at
# which the subject is there *and* the rest of your prompt is still obeyed. **Run** your own prompt with eight seeds
# for each. **Measure** both with the judge, or, on sd15, with your eyes, and fill in the skeleton: for each value two
# lists of True and False. Then **explain** the difference to your prediction.

# %% tags=["exercise"]
def experiment():
    guess = None  # the value of your knob that you expect to be best
    seen = {}  # by value: (for each seed: is the subject there?, for each seed: is the rest obeyed?)
    return (guess, seen) if seen else None


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
# - **learning rate**: how far the optimizer moves them in a step.
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
