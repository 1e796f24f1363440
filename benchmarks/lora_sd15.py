"""A dry run of a LoRA at the size of Stable Diffusion 1.5: `python benchmarks/lora_sd15.py`.

The very call of the sd15 lane, one step, on a UNet of true size with random weights; text encoder and autoencoder are
tiny, for they only run before training. Prints what one step took at the most beside what the estimate had said.
"""

import time
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

from course_utils import env, personalize
from course_utils.recipe import base, corpus


def pipeline() -> StableDiffusionPipeline:
    """Build the UNet of SD 1.5 with tiny parts around it, in the dtype of the lane."""
    words = corpus.tokenizer()
    words.model_max_length = 77
    size = {"hidden_size": 768, "intermediate_size": 768, "num_attention_heads": 12, "num_hidden_layers": 1}
    ends = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    small = {"block_out_channels": (4, 4, 4, 4), "layers_per_block": 1, "norm_num_groups": 2}
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    pipe = StableDiffusionPipeline(
        AutoencoderKL(**small, **blocks),
        CLIPTextModel(CLIPTextConfig(vocab_size=len(words), max_position_embeddings=77, **size, **ends)).eval(),
        words,
        UNet2DConditionModel.from_config(personalize.sd15_unet().config).eval(),
        DDIMScheduler(**base.SCHEDULE, clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        None,
        None,
        requires_safety_checker=False,
    )
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        part.type(env.choose_dtype("sd15"))
    return pipe.to("cuda" if torch.cuda.is_available() else "cpu")


class Peak:
    """The most memory that was in use in a `with` block, beyond what was in use before, in GiB."""

    def __enter__(self):
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated()
        else:
            Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
            self.before = self.status("VmRSS")
        return self

    def __exit__(self, *error):
        cuda = torch.cuda.is_available()
        self.gb = ((torch.cuda.max_memory_allocated() if cuda else self.status("VmHWM")) - self.before) / env.GIB

    @staticmethod
    def status(field: str) -> int:
        """Read a field of this process's status, in bytes."""
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def main() -> None:
    """Train for one step; print peak, estimate and their ratio."""
    pipe, config = pipeline(), personalize.preset("lora", "sd15", max_train_steps=1)
    estimate, size = personalize.memory_gb(pipe, config), (config.width, config.height)
    pictures = [Image.new("RGB", size, colour) for colour in ("red", "green", "blue")]
    personalize.lora(pipe, pictures, "sks robot", replace(config, height=64, width=64))  # loads the libraries
    began = time.monotonic()
    with Peak() as peak:
        lora = personalize.lora(pipe, pictures, "sks robot", config)
    print(
        f"{pipe.unet.device}, {pipe.unet.dtype}, {size[1]} x {size[0]}: one step in {time.monotonic() - began:.0f} s"
    )
    print(f"estimate: {estimate:.2f} GB; measured: {peak.gb:.2f} GB at the most; ratio {peak.gb / estimate:.2f}")
    law = personalize.parameters_per_rank(personalize.sd15_unet())
    print(
        f"file: {lora.bytes:,} bytes of tensors = 4 * {config.rank} * {law:,}: {lora.bytes == 4 * config.rank * law}"
    )


if __name__ == "__main__":
    main()
