"""Copy, lock, zero; train on pairs: how a Stable Diffusion learns to follow a map.

Adding Conditional Control to Text-to-Image Diffusion Models (Zhang et al., ICCV 2023): the UNet is locked, its
encoder is copied, the copy sees a map through a small hint encoder and speaks to the locked decoder through
convolutions that start at zero, so that training begins with exactly the pictures of the UNet alone.

    net = controlnet.copy_of(pipe)
    pairs = controlnet.ControlPairs.of(pipe, pictures, maps, prompts)
    run = controlnet.train(pipe, net, pairs, controlnet.ControlNetTrainingConfig(max_train_steps=300))
"""

from .network import copy_of, locked, with_gain, zero_layers
from .pairs import Batch, ControlPairs, PairSource
from .training import ControlNetLoss, ControlNetTrainingConfig, Run, train
