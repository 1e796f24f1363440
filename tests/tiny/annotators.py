"""Random networks that look at pictures, tiny or of true size, in the file layout of those on the Hub."""

from pathlib import Path

import torch
from transformers import (
    ConvNextConfig,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTImageProcessor,
    SegformerImageProcessor,
    UperNetConfig,
    UperNetForSemanticSegmentation,
)

from .models import _snapshot, _store

MAIN = "0" * 40  # the commit that an unpinned repository is at


def build_depth_hub(cache: Path, repository: str, revision: str, true_size: bool = False) -> Path:
    """Lay a random Depth Anything V2 into a Hub cache: safetensors, and what prepares pictures for it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        layers, width, side = (12, 384, 518) if true_size else (4, 8, 56)
        backbone = Dinov2Config(
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=max(2, width // 64),
            image_size=side,
            patch_size=14,
            out_features=[f"stage{layers * quarter // 4}" for quarter in (1, 2, 3, 4)],
            reshape_hidden_states=False,
        )
        config = DepthAnythingConfig(
            backbone_config=backbone,
            patch_size=14,
            reassemble_hidden_size=width,
            neck_hidden_sizes=[48, 96, 192, 384] if true_size else [4, 4, 4, 4],
            fusion_hidden_size=64 if true_size else 4,
            head_hidden_size=32 if true_size else 4,
        )
        network = DepthAnythingForDepthEstimation(config)
    snapshot = _snapshot(cache, repository, revision)
    network.save_pretrained(snapshot)
    DPTImageProcessor(size={"height": side, "width": side}).save_pretrained(snapshot)
    return _store(snapshot)


def build_segmenter_hub(cache: Path, repository: str, true_size: bool = False) -> Path:
    """Lay a random UperNet of ADE20K's 150 classes into a Hub cache, its weights a pickle."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        sizes = {"hidden_sizes": [96, 192, 384, 768], "depths": [3, 3, 27, 3]} if true_size else {
            "hidden_sizes": [4, 4, 8, 8], "depths": [1, 1, 1, 1]
        }  # fmt: skip
        backbone = ConvNextConfig(**sizes, out_features=["stage1", "stage2", "stage3", "stage4"])
        config = UperNetConfig(
            backbone_config=backbone, hidden_size=512 if true_size else 8, num_labels=150,
            auxiliary_in_channels=sizes["hidden_sizes"][2], auxiliary_channels=256 if true_size else 4,
        )  # fmt: skip
        network = UperNetForSemanticSegmentation(config)
    snapshot = _snapshot(cache, repository, MAIN)
    network.config.architectures = ["UperNetForSemanticSegmentation"]
    network.config.save_pretrained(snapshot)
    torch.save(network.state_dict(), snapshot / "pytorch_model.bin")
    side = 512 if true_size else 64
    SegformerImageProcessor(size={"height": side, "width": side}).save_pretrained(snapshot)
    return _store(snapshot)


def build_annotators_hub(cache: Path, repository: str, revision: str) -> Path:
    """Lay random weights of controlnet_aux's detectors, of true size, into a Hub cache."""
    from controlnet_aux.hed import ControlNetHED_Apache2
    from controlnet_aux.mlsd.models.mbv2_mlsd_large import MobileV2_MLSD_Large
    from controlnet_aux.open_pose.model import bodypose_model, handpose_model

    def flat(network: torch.nn.Module) -> dict:
        return {name.split(".", 1)[1]: value for name, value in network.state_dict().items()}

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        weights = {
            "mlsd_large_512_fp32.pth": MobileV2_MLSD_Large().state_dict(),
            "ControlNetHED.pth": ControlNetHED_Apache2().state_dict(),
            "body_pose_model.pth": flat(bodypose_model()),
            "hand_pose_model.pth": flat(handpose_model()),
            "scannet.pt": {"model": _normalbae().state_dict()},
        }
    snapshot = _snapshot(cache, repository, revision)
    for name, state in weights.items():
        torch.save(state, snapshot / name)
    return _store(snapshot)


def _normalbae() -> torch.nn.Module:
    from types import SimpleNamespace

    from controlnet_aux.normalbae.nets.NNET import NNET

    how = {"mode": "client", "architecture": "BN", "pretrained": "scannet"}
    return NNET(SimpleNamespace(**how, sampling_ratio=0.4, importance_ratio=0.7))
