"""What a training step costs beside its parts: `python benchmarks/training_step.py`.

One run, interleaved: the step of a LoRA and of a DreamBooth (draws, loss, loop, moving average) against the bare
forward, backward and optimizer calls on the same modules and sizes. CPU seconds, so that other programs do not count.
Where the base has not shipped, untrained models of the same size are timed: weights do not change the time.
"""

import copy
import statistics
import tempfile
import time

import torch
from picture import pipeline
from PIL import Image

from course_utils import personalize
from course_utils.personalize.batches import PreservationLoss, base_answers, encode_examples, prior_captions
from course_utils.personalize.runs import adamw, eased, step_generator
from course_utils.training import Loop, Plan, autocast

ROUNDS = 15


def bare(unet, optimizer, latents, words) -> None:
    """Do what no training can do without."""
    with autocast(latents.device):
        loss = unet(latents, torch.full((len(latents),), 500), words, return_dict=False)[0].float().pow(2).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def measure(name: str, pipe, unet, modules: dict, config) -> None:
    """Time both in turn; print medians and the ratio."""
    example = personalize.Example(Image.new("RGB", (config.width, config.height), "red"), "a sks robot")
    subject, prior = encode_examples(pipe, [example] * 5, config.random_flip), None
    if config.prior_loss_weight:
        prior = base_answers(pipe, prior_captions("sks robot", config), subject)
    loss = PreservationLoss(pipe, subject, prior, config)
    size = config.train_batch_size * (2 if prior else 1)
    (optimizer,) = adamw(list(modules.values()), 1e-5)
    words = loss.words(["a sks robot"] * size)
    took: dict[str, list[float]] = {"step": [], "bare": []}
    with tempfile.TemporaryDirectory() as folder, eased(unet, config, pipe.vae_scale_factor):
        loop = Loop(folder, modules, Plan(steps=1000, learning_rate=1e-5, ema_steps=config.ema_steps), choose=adamw)
        calls = (
            lambda: loop.update(loss(unet, step_generator(0, loop.step), config.train_batch_size)),
            lambda: bare(unet, optimizer, subject.latents[:size], words),
        )
        for round_ in range(ROUNDS + 2):
            for kind, call in zip(took, calls, strict=True):
                began = time.process_time()
                call()
                if round_ > 1:  # the first ones warm up
                    took[kind].append(time.process_time() - began)
    ratio = statistics.median(a / b for a, b in zip(*took.values(), strict=True))
    step, own = (statistics.median(seconds) for seconds in took.values())
    print(f"{name}: step {step * 1e3:.0f} ms, bare {own * 1e3:.0f} ms, ratio: median {ratio:.3f}")


def main() -> None:
    """Measure both methods at the clay lane's presets, DreamBooth without prior pictures."""
    pipe = pipeline()
    config = personalize.preset("lora", "clay")
    with personalize.injected(pipe, config) as named:
        measure("lora", pipe, pipe.unet, {"lora": torch.nn.ParameterList(named.values())}, config)
    unet = copy.deepcopy(pipe.unet).requires_grad_(True)
    measure("dreambooth", pipe, unet, {"unet": unet}, personalize.preset("dreambooth", "clay", prior_loss_weight=0.0))


if __name__ == "__main__":
    main()
