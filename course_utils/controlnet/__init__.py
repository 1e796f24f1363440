"""Copy, lock, zero; train on pairs: how a Stable Diffusion learns to follow a map.

Adding Conditional Control to Text-to-Image Diffusion Models (Zhang et al., ICCV 2023): the UNet is locked, its
encoder is copied, the copy sees a map through a small hint encoder and speaks to the locked decoder through
convolutions that start at zero, so that training begins with exactly the pictures of the UNet alone.

    net = controlnet.copy_of(pipe)
    pairs = controlnet.ControlPairs.of(pipe, pictures, maps, prompts)
    run = controlnet.train(pipe, net, pairs, controlnet.ControlNetTrainingConfig(max_train_steps=300))
    controlnet.with_control(pipe, run.net)("a cat", image=map)

The same call trains on the CPU (clay) and on a T4 (sd15: float16, checkpointing, batches in parts). From a shell, on
one device or many, from a folder of pairs (`write_pairs`); a killed command goes on where it was:

    python -m course_utils.controlnet PAIRS OUT --lane sd15
    accelerate launch --num_processes 2 -m course_utils.controlnet PAIRS OUT --lane sd15
"""

from .config import ControlNetTrainingConfig, memory_gb
from .listening import Joint, joints
from .network import copy_of, layers_to_thin, locked, with_control, zero_layers
from .pairs import Batch, ControlPairs, PairSource, read_pairs, write_pairs
from .steering import MODES, steered
from .training import ControlNetLoss, ControlNetProgress, Run, train
