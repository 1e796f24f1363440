"""What the tests of personalisation share: pictures to learn from, settings of a run that takes a second."""

import colorsys
import logging
import warnings
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image

from course_utils import personalize, training
from course_utils.personalize import DreamBoothConfig, LoraTrainingConfig, runs

SMALL = {
    "max_train_steps": 4,
    "learning_rate": 1e-2,
    "lr_warmup_steps": 1,
    "train_batch_size": 2,
    "height": 64,
    "width": 96,
    "ema_steps": 2,
    "save_every_s": 0.0,
}
LORA = LoraTrainingConfig(rank=2, **SMALL)
DREAMBOOTH = DreamBoothConfig(num_class_images=1, **SMALL)
QUICK = {"num_inference_steps": 2, "height": 64, "width": 96}
TRIGGER = "sks robot"


def pictures(count=3, height=64, width=96, turn=0.0):
    """Make pictures of discs, each of another hue."""
    y, x = np.mgrid[:height, :width]
    made = []
    for number in range(count):
        inside = (y - height / 2) ** 2 + (x - width * (number + 1) / (count + 1)) ** 2 < (height / 4) ** 2
        colour = np.array(colorsys.hsv_to_rgb((turn + number / count) % 1, 0.8, 0.9)) * 255
        made.append(Image.fromarray(np.where(inside[..., None], colour, 40).astype(np.uint8)))
    return made


def check_memory(pipe, config, free_gb):
    """Ask whether a training fits beside a pipeline where so many GiB are free."""
    training.check_memory(personalize.memory_gb(pipe, config), "cpu", runs.advice(config), free_gb)


def state(model):
    """Copy a model's weights."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(first, second):
    """Tell whether two states are equal to the last bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@torch.inference_mode()
def guess(pipe, prompt="a cat"):
    """Give what a pipeline's UNet says of one noisy latent, and a prompt."""
    unet = pipe.unet
    chance = torch.Generator().manual_seed(3)
    latents = torch.randn(1, unet.config.in_channels, 4, 6, generator=chance).to(unet.dtype)
    words = pipe.encode_prompt([prompt], "cpu", 1, False)[0].to(unet.dtype)
    return unet(latents, torch.tensor([500]), words, return_dict=False)[0]


@contextmanager
def heard():
    """Collect what diffusers and peft would say to the learner: log lines and warnings."""
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    loggers = [logging.getLogger(name) for name in ("diffusers", "peft", "transformers")]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for logger in loggers:
            logger.addHandler(handler)
        try:
            yield said
        finally:
            for logger in loggers:
                logger.removeHandler(handler)
            said += [str(warning.message) for warning in warned]


class Killed(Exception):
    """Stands for the end of a process."""


def kill_at(step):
    """Give a `watch` that ends the run after a step."""

    def watch(progress):
        if progress.stage == "training" and progress.step == step:
            raise Killed

    return watch
