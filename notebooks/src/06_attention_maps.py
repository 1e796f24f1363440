# %% [markdown]
# {{badges}}
#
# # 06 · Attention maps: what each word looks at
#
# You will see, for every word of a prompt, which places of the picture listen to it; you will measure how well that
# fits the truth; and you will learn what such a map does not tell.

# %% [markdown]
# **You will**
# - take one attention layer's place with a few lines of your own, and read the map of a word;
# - ask by word, layer, head and step, in both directions: a word's places, a place's words;
# - look into pictures that the model did not make, and score the maps against true outlines;
# - change what is listened to, and what is said, and see which of the two the picture follows.
#
# **You need** lesson 01, and about two hours with the exercises. The cells themselves run for about a minute on two
# cores, with 1.3 GB of memory; on a Colab T4 they take 3.1 GB of the card (computed, not yet measured).

# %% tags=["setup"]
# {{setup}}

# %% tags=["nbval-ignore-output"]
import numpy as np
import torch

from course_utils import attention, catalog, checks, clay, env, judge, metrics, plots, results, widgets

runtime = env.start(seed=13)

# %% [markdown]
# On the map of the course: today we look into the UNet, at the layers in which words and picture meet.

# %%
plots.diagram("map", here="06")

# %% [markdown]
# ## A lion with a crown
#
# The picture of this lesson. On it we want to know: which places belong to "lion", which to "crown"? (The seed was
# chosen for its crown; the lottery of lesson 01 gives worse ones, too.)

# %%
pipe, settings = catalog.load("text2img", lane=runtime.lane), catalog.defaults(runtime.lane)

def paint(prompt, seed=None):
    return pipe(prompt, generator=runtime.generator(seed), **settings).images[0]

picture = paint(prompt := "a lion with a crown in the garden")
plots.described(picture, "What the model made of 'a lion with a crown in the garden'.")

# %% tags=["remove-cell"]
assert judge.look(picture).has("lion") and judge.look(picture).has("crown"), "The seed was chosen for its crown"

# %% [markdown]
# ## The idea
#
# Inside the UNet the picture is a coarse grid of places. Words and places meet in one kind of layer:
# **cross-attention** ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762), in a UNet by [Rombach et al.,
# 2022](https://arxiv.org/abs/2112.10752)). (Where places look at each other it is called **self-attention**.) Each
# place asks a question, the **query**. Each token of the prompt offers a **key**, which says what it is about, and a
# **value**, which is what it has to say. All three are short lists of numbers. The better question and key fit, the
# more the place hears of the token. Here are four places and three tokens, with all numbers worked out:

# %%
plots.diagram("attention")

# %% [markdown]
# Follow one field with a pencil: the second place, which shows the crown, and the token "crown".
# 1. The query of the one times the key of the other, number by number, adds up to 4.
# 2. Each query has $d = 4$ numbers here. Divided by $\sqrt d = 2$, this gives the **score** of 2. (The more numbers,
#    the larger such sums become; the root keeps scores of about the same size for any $d$.)
# 3. **Softmax** turns the scores of a row into shares: $e^{\text{score}}$, divided by the sum of this over the row. So
#    every share is above 0, and each row adds up to 1.
#
# Now the same for all places and tokens at once. Put all queries below each other: that is $Q$, one row for each
# place. Put all keys below each other, $K$, and all values, $V$: one row for each token.
#
# $$A = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt d}\right), \qquad \text{and the places take in } AV$$
#
# $A$ is a table of shares. A **row** belongs to a place. A **column** belongs to a token: laid out as a picture it
# shows who listens to it. That is an **attention map**. $AV$ is the mixture of values that each place hears.
#
# One thing more: the sky, a place that no word concerns, gives nearly all to the start token. It has to give its share
# to somebody. In our clay model that will be the end token, as you will see.
#
# ## By hand: one layer
#
# In diffusers the layers called `attn2` are cross-attention, and anybody may take the place of the processor that
# computes one. Ours does what the formula says, line by line, and keeps $A$. There are several **heads**: each asks
# its own questions in its own few numbers. With guidance the layer gets two batches at once, without and with the
# prompt; the second half knows the words. (Two steps, `share` and `say`, stand by themselves, because later we change
# them.)

# %%
class Listener:
    def __init__(self):
        self.maps = []

    def share(self, scores):  # over the tokens: each place shares itself out
        return scores.float().softmax(-1)

    def say(self, value):
        return value

    def __call__(self, attn, hidden_states, encoder_hidden_states, attention_mask=None, temb=None):
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))  # [batch * head, place, number]
        key, value = (attn.head_to_batch_dim(to(encoder_hidden_states)) for to in (attn.to_k, attn.to_v))
        shares = self.share(query @ key.transpose(1, 2) * attn.scale)  # the scale is 1 / sqrt(d)
        self.maps.append(shares[len(shares) // 2 :].mean(0))  # [place, token], the mean over the heads
        mixed = attn.batch_to_head_dim(shares.to(value.dtype) @ self.say(value))
        return attn.to_out[1](attn.to_out[0](mixed))  # a linear layer, then dropout, which does nothing here

# %% [markdown]
# Where does it go? In the drawing of the UNet in lesson 01, each A is a layer of attention. Ours goes into one of
# them, the last of those that see the picture as 16 x 16 places. Whatever happens, the old processors come back:
# `finally` sees to that.

# %%
layer = list(attention.choose_layers(pipe.unet, (16,)))[-1]
before, listener = pipe.unet.attn_processors, Listener()
pipe.unet.set_attn_processor({**before, f"{layer}.processor": listener})
try:
    by_hand = paint(prompt)
finally:
    pipe.unet.set_attn_processor(dict(before))  # a copy: this call empties the dict that it is given

# %% [markdown]
# We get one table for each step. Their mean is `A`, with a row for each place and a column for each token. The start
# token is number 0, "a" is 1, "lion" is 2. So this is the map of "lion", each share times 100, as bare numbers:

# %% tags=["check"]
A = torch.stack(listener.maps).mean(0).cpu()
side = int(len(A) ** 0.5)  # 16 of a picture of the lane's own size
print((100 * A[:, 2].reshape(side, side)).round().int().numpy())
assert torch.allclose(A.sum(1), torch.ones(len(A)), atol=1e-3), "each place has given away all it has"

# %% [markdown]
# Do you see the lion? Now let the numbers glow over the picture. A word may have several tokens, so we look up where
# they stand, and add up their columns. The brightest place is always at its brightest, whatever its share.

# %%
def places_of(word, prompt=prompt):
    return list(attention.Prompt(pipe.tokenizer, prompt).place(word))

def glow(picture, heat):
    return plots.overlay(picture, (heat / heat.max()).numpy())

maps_by_hand = {word: A[:, places_of(word)].sum(1).reshape(side, side) for word in ("lion", "crown")}
sheet = plots.strip([picture, *(glow(picture, heat) for heat in maps_by_hand.values())], ["picture", *maps_by_hand])
plots.described(sheet, "The picture; a glow where the places listen to 'lion': the animal; to 'crown': on its head.")

# %% tags=["remove-cell"]
from course_utils.clay.vocabulary import CLASS_ID
from course_utils.controls import annotators

truly = annotators.reader().read(picture).seg
on = {each: attention.coverage_map(truly == CLASS_ID[each], (side, side)) for each in maps_by_hand}
lit = [float((maps_by_hand[each] * on[each]).sum() / on[each].sum() / maps_by_hand[each].mean()) for each in on]
assert min(lit) > 1.5, "The lion lights up at \"lion\", and the crown at \"crown\""
change = np.abs(np.asarray(by_hand, float) - np.asarray(picture, float)).mean()
assert change < 2, "And listening has changed nothing"

# %% [markdown]
# The lion lights up at "lion", and the crown at "crown". And listening has changed nothing: softmax written out and
# the library's fast version agree but for the last digits.
#
# ## The helper
#
# `attention.capture` does this for many layers at once, keeps heads and steps apart if you ask for it, knows which
# tokens make up a word, and puts everything back. The pipeline call inside is an ordinary one.

# %% tags=["check"]
with attention.capture(pipe, resolutions=(16, 8), heads=True, steps=True) as maps:
    assert np.array_equal(paint(prompt), picture), "a picture with capture is the picture without, to the bit"
assert torch.allclose(maps.word("lion", layer), maps_by_hand["lion"], atol=1e-2), "it hears what we heard"
print(f"{len(maps.layers)} layers, {maps.heads} heads, {len(maps.timesteps)} steps, {len(maps.tokens())} tokens")

# %% [markdown]
# ### Every word of the sentence
#
# The name of a block, such as `up_blocks.2`, stands for all its layers: we get the mean of their maps. We read the
# block that sees 16 x 16 places on the way up, with all heads and all steps.

# %%
block, words = layer.rpartition(".attentions")[0], maps.words()
heat = maps.heat(block)  # [token, row, column]
glowing = [picture, *(glow(picture, heat[list(word.places)].sum(0)) for word in words)]
sheet = plots.grid(glowing, ["picture", *(word.text for word in words)], columns=6, size=(128, 128))
plots.described(sheet, "A map for each token, each relative to its peak: 'lion' on the animal, 'crown' on its head.")

# %% [markdown]
# The nouns of things glow on their thing. "garden" does not lie on the garden: a place is everything behind, and
# hardly listened to. The little words have maps, too, often at an edge or beside a noun; do not read much into them:
# each is drawn relative to its own peak, and that may be tiny. And two maps belong to no word: those of the **start**
# and the **end** token, the end with the padding after it. How much is paid to each, on average over all places?

# %% tags=["nbval-ignore-output"]
paid = {f"{number} {word.text}": float(heat[list(word.places)].sum(0).mean()) for number, word in enumerate(words)}
bars = plots.bars(paid, form="{:.1%}", title="what the average place pays to each token")
plots.described(bars, "Bars: what the average place pays to each token; most goes to the start or the end token.")

# %% tags=["remove-cell"]
start, *between, end = paid.values()
peaks = {each.text: float(heat[list(each.places)].sum(0).max()) for each in words}
assert max(start, end) > max(between) and max(start, end) > 0.5, "most goes to the start or the end token"
assert end > start, "Here it is the end token"
assert peaks["garden"] < peaks["lion"] / 2, "hardly listened to"

# %% [markdown]
# A place has to pay out all it has, even one that no word concerns: a piece of sky. It pays to a token that stands in
# every prompt: an **attention sink** ([Xiao et al., 2023](https://arxiv.org/abs/2309.17453)). Here it is the end
# token, with {{end:.0%}}; in Stable Diffusion it is the start token. Attend-and-Excite ([Chefer et al.,
# 2023](https://arxiv.org/abs/2301.13826)), in the next lesson, drops the start token before it looks at anything.
#
# ### The other direction: ask a place
#
# A column asked who listens to a word. A row asks what a place listens to. Take the one place that pays most to
# "lion". What else does it hear?

# %% tags=["check", "nbval-ignore-output"]
row, column = divmod(int(maps.word("lion", block).argmax()), heat.shape[2])
pixel = row * maps.size[0] // heat.shape[1], column * maps.size[1] // heat.shape[2]
shares = sorted(maps.at(*pixel, layer=block), key=lambda one: -one[1])
print(*(f"{share:5.1%} {word}" for word, share in shares[:4]), sep="\n")
assert abs(sum(share for _, share in shares) - 1) < 1e-3, "a row adds up to 1, in the mean of all layers, too"

# %% [markdown]
# This is the extreme place, in the block that listens best. Where several things meet, or in other layers, a place
# listens to several words; the panel at the end lets you point at any place.
#
# ## One knob at a time: layer, head, step
#
# The word stays "lion". Downwards the **layers**, in the order in which they run: the way down first, then the way up.
# Across the heads of each.

# %%
names = {name.partition(".transformer")[0]: name for name in maps.layers}
rows = [[glow(picture, maps.word("lion", name, head=one)) for one in range(maps.heads)] for name in names.values()]
sheet = plots.sweep(rows, names, [f"head {one}" for one in range(maps.heads)], size=(100, 100))
plots.described(sheet, "The map of 'lion' by layer and head: some follow the animal, others are coarse or astray.")

# %% [markdown]
# Not every layer says where a word is, and not every head of it. Some work on other things, and their maps look like
# nothing. Now the **step**: two words from the first step to the last, laid over the finished picture. **Predict:** at
# which step will the maps begin to lie on lion and crown?

# %%
last = len(maps.timesteps) - 1
stops = [round(share * last) for share in (0, 0.1, 0.25, 0.5, 0.75, 1)]
rows = [[glow(picture, maps.word(word, block, step=step)) for step in stops] for word in ("lion", "crown")]
sheet = plots.sweep(rows, ["lion", "crown"], [f"t = {maps.timesteps[step]}" for step in stops], size=(130, 130))
plots.described(sheet, "Maps of 'lion' and 'crown' over the steps, from pure noise to the finished picture.")

# %% tags=["remove-cell"]
early = [maps.word("lion", block, step=each).flatten() for each in (0, stops[2], last)]
agree = [float(np.corrcoef(each, early[2])[0, 1]) for each in early[:2]]
assert agree[1] > max(0.6, agree[0]), "the words soon have their places"

# %% [markdown]
# At the first step there is only noise, and yet the words soon have their places, long before anyone could see a lion.
# Does the noise already decide where the lion will be? Or is the middle just a good bet, because a lion always stands
# there? One picture cannot tell; exercise 06.5 can. In either case, whoever wants to change where a word looks should
# come early. The next lesson does.
#
# ## A picture that is there already
#
# Nothing has to be painted to be looked at. Take any picture, add noise as in lesson 01, let the UNet look *once* with
# a prompt, and listen. `attention.of_picture` does that for each noise step that you name. Ours is a clay scene, so
# we know whose each pixel is.

# %%
made = clay.render(clay.scene(seed=1, words=prompt), settings["height"], settings["width"])
masks = {word: made.instance == number for number, (_, word) in enumerate(made.clay.owners)}  # whose a pixel is
looked = attention.of_picture(pipe, made.image, prompt, timesteps=(50, 200, 500, 800))
rows = [[masks[word], *(glow(made.image, looked.word(word, block, step=step)) for step in range(4))] for word in masks]
sheet = plots.sweep(rows, masks, ["truth", *(f"t = {t}" for t in looked.timesteps)], size=(140, 140))
plots.described(sheet, "True outlines of lion and crown, white on black; their maps at little and at much noise.")

# %% tags=["remove-cell"]
on_crown = attention.coverage_map(masks["crown"], tuple(looked.word("crown", block).shape))
heats = [looked.word("crown", block, step=each) for each in range(4)]
hit = [float((each * on_crown).sum() / each.sum()) for each in heats]
assert min(hit[1:3]) > 0.6 * hit[0] > hit[3], "A little noise does no harm"

# %% [markdown]
# A little noise does no harm. At t = 800 hardly anything of the picture is left to see: of the crown's map
# {{hit[3]:.0%}} lies on the crown then, and {{hit[0]:.0%}} at t = 50.
#
# ## How good is a map?
#
# Make a region of it: enlarge it to the picture's size, and take all pixels with at least half of its peak. This half
# is our **threshold**, for now. Compare the region with the true outline: what both cover, divided by what either
# covers. This is the **IoU**, intersection over union.
#
# A map of 16 x 16 places cannot follow an outline. So what would a *perfect* one score, a map that knows exactly how
# much of each place the lion covers? `attention.coverage_map` makes it from the truth. It is our yardstick: about what
# this grid allows.

# %% tags=["check"]
lion = looked.word("lion", block, step=1)  # t = 200
ideal = attention.coverage_map(masks["lion"], tuple(lion.shape))
large, larger = (attention.enlarged(heat, *masks["lion"].shape) for heat in (lion, ideal))
found, best = large >= 0.5 * large.max(), larger >= 0.5 * larger.max()
iou = (found & masks["lion"]).sum() / (found | masks["lion"]).sum()
assert iou == metrics.iou(masks["lion"], found), "metrics.iou does the same in one call"
titles = ["truth", f"map, IoU {iou:.2f}", f"perfect map, IoU {metrics.iou(masks['lion'], best):.2f}"]
plots.described(plots.strip([masks["lion"], found, best], titles), "Silhouettes of the lion: " + "; ".join(titles))

# %% [markdown]
# ### Which layer, which step, which threshold?
#
# One half was only a guess. There are 448 choices: 8 x 7 x 8, for seven layers and one block, six noise steps and
# their mean, and eight thresholds. With so many, on one picture some choice always looks good. So we choose on 64
# captions and measure on 64 others; each names two things, and the model never saw any of them. The table was made by
# `make results` on the clay model. First choose:

# %%
table = results.read("word_maps")

def ious(half, layer, timestep, **wanted):
    return table.column("iou", half=half, layer=layer, timestep=timestep, **wanted)  # [noun, threshold]

layers = list(dict.fromkeys(row["layer"] for row in table.rows if "perfect" not in row["layer"]))
levels, times = table.settings["thresholds"], [None, *table.settings["timesteps"]]  # None: the mean of all
tried = {(name, t): ious("choose", name, t).mean(0) for name in layers for t in times}
chosen = max(tried, key=lambda choice: tried[choice].max())
level = int(tried[chosen].argmax())
print(f"best of {len(tried) * len(levels)}: {chosen[0]}, t = {chosen[1]}, threshold {levels[level]}")

# %% tags=["remove-cell"]
assert len(tried) * len(levels) == 448, "There are 448 choices"

# %% [markdown]
# Now measure, with that one choice, on the other 64 captions. Two questions go along. Is the first noun of a caption
# found as well as the last? (A text encoder may pack the whole sentence into its last words.) And what does a perfect
# map score? It may choose its threshold on the first captions, too.

# %% tags=["check"]
top = int(ious("choose", "perfect 16", None).mean(0).argmax())
scores = {f"{one} noun": metrics.mean(ious("measure", *chosen, order=one)[:, level]) for one in ("first", "last")}
scores["both"] = metrics.mean(ious("measure", *chosen)[:, level])
scores["perfect map"] = metrics.mean(ious("measure", "perfect 16", None)[:, top])
halves = [{row["scene"] for row in table.where(half=half)} for half in ("choose", "measure")]
assert not halves[0] & halves[1], "no caption may choose and measure"
ends = {name: (score.low, score.high) for name, score in scores.items()}
values = {name: score.value for name, score in scores.items()}
bars = plots.bars(values, ends, title="mIoU on 64 captions", form="{:.2f}")
plots.described(bars, "Bars with intervals: first noun, last noun, both, and the perfect map, which is the highest.")

# %% tags=["remove-cell"]
reach = scores["both"].value / scores["perfect map"].value
assert reach >= 0.8, "of what the grid allows"
assert scores["first noun"].high > scores["last noun"].low, "the first noun no worse than the last"
assert scores["perfect map"].low > scores["both"].high, "the perfect map, which is the highest"

# %% [markdown]
# {{reach:.0%}} of what the grid allows, and the first noun no worse than the last. Since a table is easily believed,
# look at three of its captions once more, live:

# %% tags=["check"]
from course_utils.recipe.tables import word_maps

for scene in sorted(halves[1])[:3] if runtime.lane == "clay" else ():
    again = np.array([row["iou"] for row in word_maps.measure(("measure", scene))])
    assert np.abs(again - table.column("iou", scene=scene)).mean() < 0.01, "the table is of another model"

# %% [markdown]
# DAAM ([Tang et al., 2022](https://arxiv.org/abs/2210.04885)) scored Stable Diffusion's word maps in the same way,
# summed over time. It reached an mIoU of 0.65 on one of its two sets of pictures and of 0.59 on the other. **Same
# metric, not the same feat.** Stable Diffusion's maps came about by themselves. Ours were *taught*: while the clay
# model learned to paint, TokenCompose's loss ([Wang et al., 2023](https://arxiv.org/abs/2312.03626)) told the layers
# on the way up where each noun and its adjectives belong. And toys of clay on a plain ground are easier than
# photographs.
#
# How much is teaching? The layers on the way down were never told. So compare two layers that see the same grid, one
# on the way down and one on the way up. A fine grid allows more than a coarse one; therefore every score is divided by
# that of the perfect map of *its* grid.

# %%
full = {name.partition(".transformer")[0]: name for name in layers}
pairs = {16: ("down_blocks.0.attentions.0", "up_blocks.2.attentions.0"),
         8: ("down_blocks.1.attentions.0", "up_blocks.1.attentions.0")}  # fmt: skip
lines = {}
for grid, (down, up) in pairs.items():
    fits = ious("choose", f"perfect {grid}", None).mean(0).argmax()
    most = ious("measure", f"perfect {grid}", None)[:, fits].mean()
    for what, name in {"never told": full[down], "taught": full[up]}.items():
        own = [ious("measure", name, t).mean(0)[tried[name, t].argmax()] / most for t in times[1:]]
        lines[f"{grid} x {grid}, {what}"] = own
figure = plots.curve(times[1:], lines, xlabel="noise step t", ylabel="share of a perfect map's mIoU")
plots.described(figure, "Curves over the noise step: on either grid the taught one lies above, and noise costs both.")

# %% tags=["remove-cell"]
alone = {each: lines[f"{each} x {each}, never told"][0] for each in (16, 8)}
ahead = [np.subtract(lines[f"{each} x {each}, taught"], lines[f"{each} x {each}, never told"]) for each in (16, 8)]
assert min(alone.values()) > 0.4, "So words find their things without being told"
assert min(map(min, ahead)) > 0, "on either grid the taught one lies above"
assert all(each[0] > each[-1] for each in lines.values()), "and noise costs both"

# %% [markdown]
# So words find their things without being told: at little noise their maps reach {{alone[16]:.0%}} of a perfect map's
# mIoU on the fine grid, and {{alone[8]:.0%}} on the coarse one. Teaching brings the rest, at least in part: what is on
# the way up has also seen more of the picture, and these numbers cannot tell one from the other.
#
# ## Whose style?
#
# "Cubist" in a prompt can be meant in two ways, and models get it wrong in both: the style of a *thing*, and the style
# of the *whole picture*. One prompt of each kind. **Predict:** which pixels will listen to the style word?

# %%
meant = {"a thing": "a cubist painting in the garden", "the whole": "a cubist picture of a house in the garden"}
styled, cubist = {}, {}
for kind, text in meant.items():
    with attention.capture(pipe) as captured:
        styled[kind] = paint(text, seed=0)
    cubist[kind] = glow(styled[kind], captured.word("cubist", block))
sheet = plots.sweep([[styled[kind], cubist[kind]] for kind in meant], meant, ["picture", "'cubist'"], size=(150, 150))
plots.described(sheet, "A cubist painting with the map of 'cubist'; a cubist picture of a house with its map.")

# %% [markdown]
# By eye this is a story; on eight clay scenes of each kind it is a number. How much does a place in the thing (the
# painting, or the house) pay to the word, compared with a place outside? At 1 all places would listen alike.

# %% tags=["nbval-ignore-output"]
def owned(heat, mask):
    covers = attention.coverage_map(mask, tuple(heat.shape))  # how much of each place the thing covers
    inside, outside = ((heat * part).sum() / part.sum() for part in (covers, 1 - covers))
    return float(inside / outside)

owns, pays = {kind: [] for kind in meant}, {kind: [] for kind in meant}
for kind, text in meant.items():
    for seed in range(8):
        scene = clay.render(clay.scene(seed=seed, words=text), settings["height"], settings["width"])
        seen = attention.of_picture(pipe, scene.image, text, timesteps=(200, 500)).word("cubist", block)
        owns[kind].append(owned(seen, scene.instance == 0))  # thing 0 is the painting, the house
        pays[kind].append(float(seen.mean()))
    ratio, share = metrics.mean(owns[kind]), metrics.mean(pays[kind])
    print(f"{text:42}inside / outside {ratio.value:2.0f} ({ratio.low:.0f} to {ratio.high:.0f}), "
          f"share of all attention {share.value:.1%}")  # fmt: skip

# %% tags=["remove-cell"]
own_gap, pay_gap = (metrics.difference(each["the whole"], each["a thing"]).low for each in (owns, pays))
assert own_gap > 0, "the word owns the painting's pixels"
assert pay_gap > 0, "it is hardly listened to"
assert np.mean(owns["the whole"]) > 1, "mostly in the house"

# %% [markdown]
# Said of the painting, the word owns the painting's pixels. What has a place can be held there: lesson 07 asks for a
# cubist painting in the garden, and not a cubist garden. Said of the whole picture, it is hardly listened to, and if
# so, mostly in the house. And yet that picture is to be cubist all over. How does the style get there? Keep the
# riddle in mind.
#
# ## What a map does not tell
#
# **It is no detector.** Show the model a lion and ask for a *cat*.

# %% tags=["nbval-ignore-output"]
asked, at_most = {}, {}
for word in ("lion", "cat"):
    offered = attention.of_picture(pipe, made.image, prompt.replace("lion", word), timesteps=(200, 500))
    at_most[word] = float(offered.word(word, block).max())
    asked[f"'{word}': at most {at_most[word]:.0%} of a place"] = glow(made.image, offered.word(word, block))
sheet = plots.strip([made.image, *asked.values()], ["a lion", *asked], size=(200, 200))
plots.described(sheet, "A clay lion; the map of 'lion' on it; the map of 'cat' on it, which glows as well.")

# %% tags=["remove-cell"]
assert at_most["cat"] > 0.6 * at_most["lion"], "and yet places listen to \"cat\""

# %% [markdown]
# There is no cat, and yet places listen to "cat", up to {{at_most["cat"]:.0%}}, as they did to "lion". They share
# themselves out among the words that are *offered*, and here "cat" fits best. A map says where a cat would be, not
# that one is there. If you want to know what is in a picture, ask the judge.
#
# **It is a measurement, not yet a cause.** The map of "lion" lies on the lion. So does the lion come from the word
# "lion"? To see a map is not enough to know: it was measured while something else may have done the work. To find out,
# we must *intervene*: change one thing, keep all others, and look what follows. There are two things to change. One is
# how much is *listened* to a token, its share in $A$. The other is what the token *says*, its value in $V$.
#
# To change what is listened to, make every layer *deaf* to a token: its share becomes 0, and the other tokens share
# out what it had. To change what is said, *mute* a token: leave the shares alone, and let it say what it would say in
# an empty prompt. (With guidance the batch begins with an empty prompt anyway.)

# %%
class Deaf(Listener):
    def __init__(self, places):
        super().__init__()
        self.places = list(places)

    def share(self, scores):
        scores[len(scores) // 2 :, :, self.places] = -torch.inf  # only the half that knows the prompt
        return super().share(scores)

class Muted(Deaf):
    share = Listener.share

    def say(self, value):
        half = len(value) // 2
        value[half:, self.places] = value[:half, self.places]  # what it says in the empty prompt
        return value

def paint_with(processor, prompt=prompt, **how):
    try:
        pipe.unet.set_attn_processor({name: processor if ".attn2." in name else before[name] for name in before})
        return paint(prompt, **how)
    finally:
        pipe.unet.set_attn_processor(dict(before))

# %% [markdown]
# Four interventions, always with the same seed: deaf to "lion"; deaf to "crown"; deaf to the end token; and the end
# token muted. **Predict** each before you run the cell: what will be missing, what will change?

# %% tags=["check"]
changed = {f"deaf to '{word}'": paint_with(Deaf(places_of(word))) for word in ("lion", "crown")}
changed["deaf to the end token"] = paint_with(Deaf(words[-1].places))
changed["end token muted"] = paint_with(Muted(words[-1].places))
assert not any(np.array_equal(image, picture) for image in changed.values()), "each changes the picture"
sheet = plots.strip([picture, *changed.values()], ["all words", *changed], size=(160, 160))
plots.described(sheet, "One seed: all words; deaf to 'lion', to 'crown', to the end token; end token muted.")

# %% tags=["remove-cell"]
sights = [judge.look(it) for it in (picture, *changed.values())]
assert sights[1].has("lion"), "No place hears \"lion\", and a lion comes all the same"
assert sights[2].has("crown"), "the crown stays"
assert sights[3].get("lion").share > 1.2 * sights[0].get("lion").share, "the lion spreads"
differs = [np.abs(np.asarray(it, float) - np.asarray(picture, float)).mean() for it in changed.values()]
assert differs[3] < differs[2] / 3, "For this picture it changes little"

# %% [markdown]
# No place hears "lion", and a lion comes all the same. The text encoder lets every token read the ones before it
# (**causal** self-attention): "with", "a", "crown" and the end token have all read "lion", and pass it on. The crown
# is the stronger case: deaf to "crown", the crown stays, although only "in the garden" and the end token can have read
# it.
#
# The end token is a sink: without it every place has to listen to some word, and the lion spreads. Is it nothing but a
# sink? When it is muted, nobody takes its share away; only what it *says* is another. For this picture it changes
# little, for the words themselves say enough. Keep the question for a moment.
#
# So read a map as what it is, a measurement: who is *listened to*, at this place, in this layer. It becomes part of a
# cause when somebody changes it, as Prompt-to-Prompt ([Hertz et al., 2022](https://arxiv.org/abs/2208.01626)) did, and
# as lesson 07 will do. It need not be the whole cause: what reaches the picture is share *and* value, and a meaning
# that one token loses may still arrive through others.
#
# Does that solve the riddle of the style? Two pictures with "cubist" said of a thing and of the whole: with all words,
# deaf to "cubist", and with the end token muted. **Predict:** which picture will lose its style, and when?

# %%
without, muted = {}, {}
for kind, text in meant.items():
    without[kind] = paint_with(Deaf(places_of("cubist", text)), text, seed=0)
    muted[kind] = paint_with(Muted(attention.Prompt(pipe.tokenizer, text).words[-1].places), text, seed=0)
rows = [[*images.values()] for images in (styled, without, muted)]
sheet = plots.sweep(rows, ["all words", "deaf", "end muted"], [f"said of {kind}" for kind in meant], size=(150, 150))
plots.described(sheet, "A painting and a house: with all words, deaf to 'cubist', and with the end token muted.")

# %% tags=["remove-cell"]
def changed_by(images_of, it):
    return np.abs(np.asarray(styled[it], float) - np.asarray(images_of[it], float)).mean()

def rough(it):  # how restless sky and grass are
    pixels = np.asarray(it, float)
    sky_and_grass = pixels[: len(pixels) // 6], pixels[-len(pixels) // 8 :]
    return np.mean([np.abs(np.diff(band, axis=1)).mean() for band in sky_and_grass])

lost = {it: changed_by(without, it) for it in meant}
assert lost["a thing"] > 3 * lost["the whole"], "The whole picture hardly notices"
assert changed_by(muted, "the whole") > 3 * lost["the whole"], "The whole picture is another"
assert rough(muted["the whole"]) < 0.75 * rough(styled["the whole"]), "sky and grass lose much of their style"
assert pipe.unet.attn_processors == before, "the old processors come back"

# %% [markdown]
# It does. Deaf to "cubist", the painting loses its style: its pixels listened to the word itself. The whole picture
# hardly notices. (The one changes by {{lost["a thing"]:.0f}} of 255 levels on average, the other by
# {{lost["the whole"]:.0f}}.) For each word after "cubist" has read it, and so has the end token, which all places
# listen to. Mute that one, and it is the other way round. The painting has its own word and keeps its style. The whole
# picture is another: sky and grass lose much of their style, for it was the end token that told them.
#
# So the end token is a sink *and* a voice, and only the intervention could tell. In the same way a colour strays: in
# "a red clock and a blue bench" the token "bench" has read "red", too.
#
# ## The panel
#
# Paint, click a word, choose layer, head and step, and point at the picture to see what that place looks at. The code
# presses the button once for you, and chooses "lion". It begins with the mean of *all* layers, so its shares are lower
# than those of the one block above.

# %% tags=["widget", "nbval-ignore-output"]
panel = widgets.explorer_panel(pipe, runtime, prompt=prompt)
panel.generate.click()
panel.wait()
panel.explorer.word = 2  # "lion"
panel

# %% tags=["nbval-ignore-output"]
plots.described(panel.picture(), "The panel: knobs; the picture, glowing at 'lion'; below it all words.")

# %% [markdown]
# ## Exercises
#
# ### 06.1 · Louder (difficulty 2, 10 minutes)
#
# This lesson made layers deaf to a word. Prompt-to-Prompt turns a word up or down, too. Write
# `louder(scores, places, factor)`: from the scores [head, place, token], before the softmax, to the shares in which
# the tokens at `places` have `factor` times their weight against every other token. A place still has no more than one
# attention to give: its shares add up to 1.

# %% tags=["exercise"]
def louder(scores, places, factor):
    return None  # your lines

checks.check("06.1", louder)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# The shares first. Multiply some of them, then divide each place by what it now pays in all: `sum(-1, keepdim=True)`.
# Try it, too: `Listener.share` of this lesson is where it would go.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def louder(scores, places, factor):
#     shares = scores.softmax(-1)
#     shares[..., list(places)] *= factor
#     return shares / shares.sum(-1, keepdim=True)
# ```
# </details>
#
# ### 06.2 · Whose place is it? (difficulty 2, 5 minutes)
#
# Write `owner(heat, words)`: `heat` is [token, height, width], and `words` lists for each word where its tokens stand.
# Give [height, width]: for each place the number, from 0, of the word to which it pays most. So a prompt cuts a
# picture into regions. What becomes of the sky?

# %% tags=["exercise"]
def owner(heat, words):
    return None  # your line

checks.check("06.2", owner)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# The shares of a word's tokens add up. `torch.stack` the maps of the words; `argmax` over which axis?
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def owner(heat, words):
#     return torch.stack([heat[list(places)].sum(0) for places in words]).argmax(0)
# ```
# </details>
#
# ### 06.3 · The best of 448 coins (difficulty 2, 10 minutes)
#
# Why must one choose on some captions and measure on others? Let 448 choices be nothing but coins: `choose` and
# `measure` are arrays [choice, caption] of heads (1) and tails (0). Write `best_coin(choose, measure)`: the pair of
# the best mean that any choice has on the first captions, and of the mean that *this* choice has on the others.
# **Predict** both numbers for fair coins, then toss them:
#
# ```python
# tosses = np.random.default_rng(0).integers(0, 2, size=(2, 448, 64))
# best_coin(*tosses)
# ```

# %% tags=["exercise"]
def best_coin(choose, measure):
    return None  # your lines

checks.check("06.3", best_coin)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `array.mean(axis=1)` gives a mean for each choice. Which row has the best one? Take the same row of `measure`.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def best_coin(choose, measure):
#     means = choose.mean(axis=1)
#     best = int(np.argmax(means))
#     return means[best], measure[best].mean()
# ```
# </details>
#
# ### 06.4 · The pointing game (difficulty 2, 10 minutes)
#
# Where no outline can be drawn from a map, its strongest place can still be asked for: does it lie on the thing
# ([Zhang et al., 2016](https://arxiv.org/abs/1608.00507))? Write `pointing(heats, masks)` for a list of maps and a
# list of masks of their size, tensors of numbers and of bools. Give a pair: the share of maps whose strongest place
# lies in its mask, and the share that a finger with closed eyes would hit.

# %% tags=["exercise"]
def pointing(heats, masks):
    return None  # your lines

checks.check("06.4", pointing)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `heat.argmax()` counts the places row by row, as `mask.flatten()` does. A finger with closed eyes hits a mask as
# often as the mask is large.
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def pointing(heats, masks):
#     hits = [bool(mask.flatten()[heat.argmax()]) for heat, mask in zip(heats, masks)]
#     blind = [float(mask.float().mean()) for mask in masks]
#     return sum(hits) / len(hits), sum(blind) / len(blind)
# ```
# </details>
#
# ### 06.5 · Does the map know before you do? (open, difficulty 3, 20 minutes)
#
# One picture seemed to say that the place of a thing is decided early. Take a prompt of your own with a thing that may
# stand left or right.
# - **Predict** the first step, of three or more with 0 among them, whose map of its word foretells where it will
#   stand.
# - **Run** it with eight seeds or more, and keep the steps apart.
# - **Measure** two columns, as shares of the width: that of the map's peak, and that of the thing in the *finished*
#   picture, `.column` of what the judge finds; on sd15 guess it by eye.
# - **Explain** the first step's result: what did the model look at?
#
# The lists in the cell wait for pairs, such as `(0.3, 0.7)`, one for each picture, in the same order at each step. It
# is not enough to be near: your map must be nearer than the maps of other seeds.

# %% tags=["exercise"]
def experiment():
    guess, seen = 2, {0: [], 2: [], 5: []}  # the step that you expect; pairs for each step
    return guess, seen

checks.check("06.5", experiment)

# %% [markdown] tags=["hint", "solution"]
# <details><summary>Hint</summary>
#
# `attention.capture(pipe, steps=True)`, then `maps.word(word, block, step=0)`. Add up its rows: where is the largest
# column? Where the thing did not come, `judge.look(picture).get(word)` is None: leave that seed out at all steps.
# </details>
# <details><summary>Solution</summary>
#
# One of many, with a guess that is only ours. It paints 12 pictures.
#
# ```python
# def experiment():
#     text, seen = "a lion and a tree in the garden", {0: [], 1: [], 4: []}
#     for seed in range(12):
#         with attention.capture(pipe, steps=True) as captured:
#             thing = judge.look(paint(text, seed)).get("lion")
#         for step in seen if thing else ():
#             columns = captured.word("lion", block, step=step).sum(0)
#             seen[step].append(((int(columns.argmax()) + 0.5) / len(columns), thing.column))
#     return 4, seen
# ```
# </details>

# %% [markdown]
# ## Words of this lesson
#
# - **cross-attention**: the layer in which places of the picture listen to tokens of the prompt.
# - **self-attention**: the layer in which places of the picture, or tokens, listen to each other.
# - **query**: the vector with which a place asks.
# - **key**: the vector by which a token is found.
# - **value**: the vector that a token gives to whoever listens.
# - **head**: one of several attentions that a layer computes side by side, each in its own few numbers.
# - **softmax**: turns scores into shares that add up to 1.
# - **attention map**: how much each place listens to one token, laid out as a picture.
# - **threshold**: the share of a map's peak from which a pixel counts as the word's.
# - **IoU**: intersection over union: how much two masks share of all that either covers.
# - **attention sink**: a token that takes the attention for which there is no better use.
# - **causal**: said of attention in which a token reads only what stands before it.
#
# ## Read on
#
# - [The Illustrated Transformer](https://jalammar.github.io/illustrated-transformer/), Jay Alammar, 2018: attention in
#   pictures.
# - [What the DAAM](https://arxiv.org/abs/2210.04885), Tang et al., 2022: word maps of Stable Diffusion; with
#   [code](https://github.com/castorini/daam).
# - [Prompt-to-Prompt](https://arxiv.org/abs/2208.01626), Hertz et al., 2022: editing a picture by its attention maps.
#
# ## To take with you
#
# - In cross-attention every place shares itself out among the tokens. A column of that table is a word's map.
# - Some layers know where things are, already in the first steps; how well is a number, with a ceiling, measured on
#   captions that had no part in the choice.
# - A map is a measurement of who is listened to. It does not show that the thing is there, nor that the word alone
#   brought it. To learn what a word does, change one thing and paint again.
#
# **Next:** lesson 07, Attend-and-Excite. If nobody looks at "crown", make somebody look.

# %%
env.release()
