"""Which sampler works with which technique, measured on the clay lane: `python benchmarks/samplers.py [NAME ...]`.

Each sampler of `catalog.SAMPLERS` makes the same pictures as ddim, from the same seeds. A cell holds

- apart: how far the composition is from ddim's (grey levels of pictures shrunk to 16 x 16), as a share of how far two
  seeds of ddim are from each other (where a picture is given: of how far that is from ddim's);
- found: the share of the things asked for that the judge finds (ddim's in the first line);
- effect: what the technique is for, as a share of ddim's: how far the picture given or the masked rest is changed, how
  well a map is followed, by how much the pushes lower the loss;
- calls: of the UNet, and how many steps the panel counts.

A sampler without noise of its own works with a technique where apart <= 0.5 and effect is 0.5 to 2; one that adds
noise where it finds as much as ddim to 0.15 and effect is 0.5 to 2; both where calls and steps agree. Cells of the
course's 10 x 8 on 2026-11-30, two cores: all work. euler a, ddpm and dpm++ 2m sde karras wash almost half of the
excitement out (effect 0.51, 0.51, 0.60).
pndm asks the UNet once more than its steps, heun twice a step but the last; both count it. Where a picture is given
pndm repeats no step (`catalog.samplers`). As diffusers has it, it was 0.70 apart with img2img and 0.57 with a masked
edit; on 2026-11-30 it was 0.09, 0.08, and 0.06 with depth2img.
"""

import json
import sys
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from course_utils import attention, catalog, clay, controls, editing, excite, judge

PROMPT, THINGS = "a red clock and a blue bench", ("clock", "bench")
SEEDS, NOISY_SEEDS, BATCH = 4, 16, 4
CALL = catalog.defaults("clay")


def given():
    """Give the scene that pictures and maps are made of."""
    return clay.render(clay.scene(3, words=PROMPT), CALL["height"], CALL["width"])


def near(made, image):
    """Give how far a picture is from the one given, in grey levels."""
    return float(np.abs(np.asarray(image, float) - np.asarray(made.image, float)).mean())


def text2img(pipe, made, how):
    """Make pictures of nothing but words; no effect beside the picture itself."""
    images = pipe([PROMPT] * len(how["generator"]), **CALL, **how).images
    return images, [float(np.asarray(image, float).std()) for image in images]


def img2img(pipe, made, how):
    """Change a picture a little; the effect is by how much."""
    size = {name: value for name, value in CALL.items() if name not in ("height", "width")}
    count = len(how["generator"])
    images = pipe([PROMPT] * count, image=[Image.fromarray(made.image)] * count, strength=0.3, **size, **how).images
    return images, [near(made, image) for image in images]


def depth2img(pipe, made, how):
    """Follow a depth; the effect is how well what is made agrees with the scene."""
    size = {name: value for name, value in CALL.items() if name not in ("height", "width")}
    grey, count = Image.fromarray(made.image).convert("L").convert("RGB"), len(how["generator"])
    depth = torch.from_numpy(1 / made.depth).float()[None].repeat(count, 1, 1)
    images = pipe([PROMPT] * count, image=[grey] * count, strength=1.0, depth_map=depth, **size, **how).images
    return images, [edges_kept(made, image) for image in images]


def controlnet(pipe, made, how, **more):
    """Follow a canny map; the effect is how much of its edges is there."""
    count = len(how["generator"])
    images = pipe([PROMPT] * count, image=[controls.canny(made.image)] * count, **CALL, **how, **more).images
    return images, [edges_kept(made, image) for image in images]


def guess_mode(pipe, made, how):
    """Do the same with the ControlNet on the conditional half only."""
    return controlnet(pipe, made, how, guess_mode=True)


def edges_kept(made, image):
    """Give the share of the scene's edges within two pixels of an edge of the picture."""
    import cv2

    asked, there = (np.asarray(controls.canny(each)).max(-1) > 0 for each in (made.image, np.asarray(image)))
    return float(cv2.dilate(there.astype(np.uint8), np.ones((5, 5), np.uint8))[asked].mean())


def excited(pipe, made, how):
    """Push for both things; the effect is by how much the loss falls, against calls that only look."""
    count, config = len(how["generator"]), excite.AttendExciteConfig.for_lane("clay")
    losses, states = [], [generator.get_state() for generator in how["generator"]]
    for scale in (0.0, config.scale_factor):
        for generator, state in zip(how["generator"], states, strict=True):
            generator.set_state(state)
        with excite.exciting(pipe, THINGS, replace(config, scale_factor=scale)) as log:
            images = pipe([PROMPT] * count, **CALL, **how).images
        losses.append([np.mean(log.losses(picture)) for picture in range(count)])
    return images, list(np.subtract(*losses))


def capture(pipe, made, how):
    """Capture the maps; the effect is the peak of both words."""
    with attention.capture(pipe) as maps:
        images, _ = text2img(pipe, made, how)
    return images, [float(sum(maps.word(w, picture=k).max() for w in THINGS)) for k in range(len(images))]


def masked_edit(pipe, made, how):
    """Let only the left half change; the effect is by how much the right one does."""
    size = {name: value for name, value in CALL.items() if name not in ("height", "width")}
    picture, side = Image.fromarray(made.image), CALL["width"]
    mask = Image.new("L", picture.size)
    mask.paste(255, (0, 0, side // 2, side))
    images = [
        pipe("a cat", image=picture, strength=0.8, **size, generator=generator,
             callback_on_step_end=editing.keep_outside(mask, picture)).images[0]
        for generator in how["generator"]
    ]  # fmt: skip
    right = [np.abs(np.asarray(image, float) - np.asarray(made.image, float))[:, side // 2 :] for image in images]
    return images, [float(difference.mean()) for difference in right]


RUNS = {
    "text2img": (text2img, "text2img", {}), "img2img": (img2img, "img2img", {}),
    "depth2img": (depth2img, "depth2img", {}), "controlnet": (controlnet, "controlnet", {"control": "canny"}),
    "guess mode": (guess_mode, "controlnet", {"control": "canny"}), "excite": (excited, "text2img", {}),
    "capture": (capture, "text2img", {}), "masked edit": (masked_edit, "img2img", {}),
}  # fmt: skip


def made_with(technique, name, made, seeds):
    """Make the pictures of some seeds: their pixels, effects, and how often the UNet was called for how many steps."""
    run, kind, more = RUNS[technique]
    pipe = catalog.with_scheduler(catalog.load(kind, "clay", **more), name)
    calls, images, effects, runs = [], [], [], []
    hook = pipe.unet.register_forward_hook(lambda *_: calls.append(pipe.num_timesteps))
    for first in range(0, len(seeds), BATCH):
        how = {"generator": [torch.Generator().manual_seed(seed) for seed in seeds[first : first + BATCH]]}
        with attention.on_call(pipe, runs.append):
            new, effect = run(pipe, made, how)
        images, effects = images + list(new), effects + list(effect)
    hook.remove()
    return images, np.array(effects), len(calls) / len(runs), calls[-1]


def small(image):
    """Shrink a picture to its composition."""
    return np.asarray(image.resize((16, 16), Image.Resampling.BOX), float)


def measure(technique):
    """Give a row for each sampler, ddim first."""
    made, rows = given(), []
    asked = ("cat",) if technique == "masked edit" else THINGS
    plain = {}
    for name, sampler in catalog.SAMPLERS.items():
        seeds = list(range(NOISY_SEEDS if sampler.adds_noise or name == "ddim" else SEEDS))
        images, effects, calls, steps = made_with(technique, name, made, seeds)
        if name == "ddim":
            plain = {"images": images, "effects": effects}
            reference = [made.image] if technique in ("img2img", "masked edit") else None
            pairs = zip(images, images[1:], strict=False) if reference is None else (
                (image, Image.fromarray(made.image)) for image in images)  # fmt: skip
            scale = np.mean([np.abs(small(a) - small(b)).mean() for a, b in pairs])
        apart = [np.abs(small(a) - small(b)).mean() for a, b in zip(images, plain["images"], strict=False)]
        found = [judge.look(image).has(word) for image in images for word in asked]
        share = effects.mean() / plain["effects"][: len(effects)].mean()
        rows.append({"technique": technique, "sampler": name, "apart": float(np.mean(apart) / scale),
                     "found": float(np.mean(found)), "effect": float(share), "calls": calls, "steps": steps,
                     "seeds": len(seeds)})  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Measure the techniques that are asked for, or all."""
    for technique in sys.argv[1:] or RUNS:
        measure(technique)


if __name__ == "__main__":
    main()
