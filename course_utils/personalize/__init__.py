"""Teach a Stable Diffusion a subject or a style of your own: LoRA, DreamBooth, few steps from a good start.

    robot = personalize.subject("robot")
    lora = personalize.lora(pipe, robot.train, trigger="sks robot")
    lora.save("robot.safetensors")
    with personalize.attached(pipe, lora, weights=0.8):
        pipe("a sks robot on the beach")

The same call trains on the CPU (clay) and on a T4 (sd15: float16, checkpointing). From a shell, on one device or many:

    python -m course_utils.personalize lora PICTURES "sks robot" robot.safetensors --lane sd15
    accelerate launch --num_processes 2 -m course_utils.personalize lora PICTURES "sks robot" robot.safetensors
    torchrun --nproc_per_node 2 -m course_utils.personalize lora PICTURES "sks robot" robot.safetensors

`--train_batch_size` counts the pictures of all processes together. What the hardware computes natively decides the
precision, not the launcher's `--mixed_precision`.
"""

from . import likeness, pretrained
from .adapters import attached, eject, injected, parameters_per_rank, sd15_unet
from .algebra import Merged, add, changes, low_rank, merge, norm, unmerge
from .datasets import Example, gather, notes
from .dreambooth import dreambooth, swapped
from .lora import few_step, lora
from .presets import ATTENTION, DreamBoothConfig, FewStepConfig, LoraTrainingConfig, preset
from .reading import licence, read, trigger
from .runs import Progress, memory_gb
from .subjects import Subject, scene, shapes, style_examples, subject
from .weights import About, Base, Lora, Tuned, base_of, check_base, drive, send
