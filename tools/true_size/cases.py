"""What lessons ask of the sd15 lane, one function a row of the table: each gives what came out, as a tensor."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from diffusers import (
    DiffusionPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionDepth2ImgPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
)
from PIL import Image

from course_utils import attention, excite

if TYPE_CHECKING:
    from course_utils.personalize.presets import TrainingConfig

PROMPT, WORDS = "a lion with a crown", ("lion", "crown")


@dataclass
class Kit:
    """Models, and how large and how long the calls on them are."""

    parts: dict  # of a pipeline, by name
    nets: list = field(default_factory=list)  # ControlNets
    side: int = 512  # pixels
    steps: int = 10
    refinements: int = 20  # of Attend-and-Excite, at most

    def picture(self) -> Image.Image:
        """Give a picture in which something is to be seen."""
        return Image.radial_gradient("L").resize((self.side, self.side)).convert("RGB")

    def pipe(self, kind: type[DiffusionPipeline], **more) -> DiffusionPipeline:
        """Build a pipeline on the parts."""
        checked = {"requires_safety_checker": False} if "safety_checker" in self.parts else {}
        pipe = kind(**self.parts | checked | more)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def paint(self, pipe: DiffusionPipeline, **more) -> torch.Tensor:
        """Call a pipeline; the picture is [1, channel, height, width], 0-1, on the CPU."""
        how = {"num_inference_steps": self.steps, "generator": torch.Generator().manual_seed(0), "output_type": "pt"}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "In CPU autocast, but the target dtype is not supported")
            return pipe(PROMPT, **how | more).images.cpu()

    @property
    def size(self) -> dict[str, int]:
        """Give height and width, for pipelines that take them."""
        return {"height": self.side, "width": self.side}


def text2img(kit: Kit) -> torch.Tensor:
    """Paint from words."""
    return kit.paint(kit.pipe(StableDiffusionPipeline), **kit.size)


def four_pictures(kit: Kit) -> torch.Tensor:
    """Paint four pictures at once."""
    return kit.paint(kit.pipe(StableDiffusionPipeline), num_images_per_prompt=4, **kit.size)


def img2img(kit: Kit) -> torch.Tensor:
    """Begin with a picture."""
    return kit.paint(kit.pipe(StableDiffusionImg2ImgPipeline), image=kit.picture(), strength=0.99)


def depth2img(kit: Kit) -> torch.Tensor:
    """Keep the depth that the pipeline estimates."""
    return kit.paint(kit.pipe(StableDiffusionDepth2ImgPipeline), image=kit.picture(), strength=0.99)


def one_control(kit: Kit) -> torch.Tensor:
    """Follow one map."""
    pipe = kit.pipe(StableDiffusionControlNetPipeline, controlnet=kit.nets[0])
    return kit.paint(pipe, image=kit.picture(), **kit.size)


def two_controls(kit: Kit) -> torch.Tensor:
    """Follow two maps."""
    pipe = kit.pipe(StableDiffusionControlNetPipeline, controlnet=kit.nets)
    return kit.paint(pipe, image=[kit.picture()] * len(kit.nets), **kit.size)


def capture(kit: Kit) -> torch.Tensor:
    """Listen to all layers, heads and steps."""
    pipe = kit.pipe(StableDiffusionPipeline)
    with attention.capture(pipe, resolutions=None, heads=True, steps=True) as maps:
        made = kit.paint(pipe, **kit.size)
    assert maps.word("crown").shape == (kit.side // 8,) * 2
    return made


def attend_and_excite(kit: Kit) -> torch.Tensor:
    """Excite two words, with the settings of the paper."""
    pipe = kit.pipe(StableDiffusionPipeline)
    config = replace(excite.AttendExciteConfig.for_lane("sd15"), max_refinement_steps=kit.refinements)
    with excite.exciting(pipe, WORDS, config):
        return kit.paint(pipe, **kit.size)


def lora(kit: Kit) -> torch.Tensor:
    """Train a LoRA for two steps; what comes out are their losses."""
    from course_utils import personalize  # needs numba, OpenCV and peft, which the other rows do without

    pipe, losses = kit.pipe(StableDiffusionPipeline), []
    config = personalize.preset("lora", "sd15", max_train_steps=2, **kit.size)
    with tempfile.TemporaryDirectory() as folder:
        watch = lambda progress: losses.append(progress.loss)  # noqa: E731
        made = personalize.lora(pipe, [kit.picture()] * 3, "sks robot", config, watch, folder)
    assert all(tensor.isfinite().all() for tensor in made.tensors.values())
    return torch.tensor(losses)


def lora_step(kit: Kit) -> None:
    """Take the step of `lora`, without its folder: a count has no numbers to keep."""
    from course_utils import personalize

    pipe, config = kit.pipe(StableDiffusionPipeline), personalize.preset("lora", "sd15", **kit.size)
    with personalize.injected(pipe, config) as named:
        _step(pipe, pipe.unet, list(named.values()), config)


def dreambooth_step(kit: Kit, unet: torch.nn.Module) -> None:
    """Take a step of DreamBooth, thriftily set: one picture of the subject and one of the prior, checkpointing."""
    from course_utils import personalize

    config = personalize.DreamBoothConfig(
        400, 2e-6, ema_steps=0, train_batch_size=1, gradient_checkpointing=True, **kit.size
    )
    _step(kit.pipe(StableDiffusionPipeline), unet, list(unet.requires_grad_(True).parameters()), config)


def _step(pipe: DiffusionPipeline, unet: torch.nn.Module, weights: list, config: TrainingConfig) -> None:
    from course_utils import personalize
    from course_utils.personalize.batches import PreservationLoss, encode_examples
    from course_utils.personalize.runs import adamw, step_generator
    from course_utils.training import eased

    example = personalize.Example(Image.new("RGB", (config.width, config.height)), "a sks robot")
    subject = encode_examples(pipe, [example] * 3, config.random_flip)
    loss = PreservationLoss(pipe, subject, subject if config.prior_loss_weight else None, config)
    (optimizer,) = adamw([torch.nn.ParameterList(weights)], config.learning_rate)
    with eased([unet], config.latent_pixels(pipe.vae_scale_factor), config.gradient_checkpointing):
        for step in range(2):  # Adam has its means from the first one on
            loss(unet, step_generator(0, step), config.train_batch_size).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)


CASES: dict[str, Callable[[Kit], torch.Tensor]] = {
    "text to image": text2img, "four pictures at once": four_pictures, "image to image": img2img,
    "one ControlNet": one_control, "two ControlNets": two_controls, "all attention maps": capture,
    "Attend-and-Excite": attend_and_excite, "LoRA": lora,
}  # fmt: skip
