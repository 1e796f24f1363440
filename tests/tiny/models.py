"""Tiny random models in the layouts of the real ones, built in code in about a second.

They paint nothing sensible; everything around the weights (files, classes, sizes of the latents,
schedulers, tokenizer) is as in what the course ships and as on the Hub.
"""

import hashlib
import json
import os
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    ControlNetModel,
    DDIMScheduler,
    PNDMScheduler,
    SchedulerMixin,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    DPTConfig,
    DPTForDepthEstimation,
    DPTImageProcessor,
)

WORDS = "a an the and with in on at cat dog lion bird man woman crown bench clock red blue green beach garden".split()
START, END = "<|startoftext|>", "<|endoftext|>"
WIDTH = 32  # of text encoder and cross-attention


def tokenizer(length: int = 32) -> CLIPTokenizer:
    """Build a byte-level BPE as CLIP's, which knows `WORDS` whole and spells every other text."""
    alphabet = list(_byte_characters().values())
    merges = sorted({pair for word in WORDS for pair in _spell(word)}, key=lambda pair: (len("".join(pair)), pair))
    pieces = [*alphabet, *(letter + "</w>" for letter in alphabet), *("".join(pair) for pair in merges), START, END]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=length)


def build_clay_folder(path: Path) -> Path:
    """Write a tiny clay base: f = 16, 12 latent channels, 32 tokens, fp16 safetensors."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        words = tokenizer()
        parts = {
            "tokenizer": words,
            "text_encoder": _text_encoder(words, layers=2),
            "vae": AutoencoderTiny(
                encoder_block_out_channels=(8,) * 5,
                decoder_block_out_channels=(8,) * 5,
                num_encoder_blocks=(1,) * 5,
                num_decoder_blocks=(1,) * 5,
                latent_channels=12,
                upsampling_scaling_factor=2,
                scaling_factor=1.0,
            ),
            "unet": _unet(sample_size=16, channels=12),
            "scheduler": _scheduler(DDIMScheduler),
        }
    nothing = dict.fromkeys(("safety_checker", "feature_extractor", "image_encoder"))
    pipe = StableDiffusionPipeline(**parts, **nothing, requires_safety_checker=False)
    _halve(pipe).save_pretrained(path)
    return Path(path)


def build_clay_control(path: Path, base: Path, steers: float = 0.0) -> Path:
    """Write a tiny ControlNet for the clay base: a hint encoder with one more stride, for f = 16.

    Its zero convolutions are zero, as before training; `steers` is the deviation of random weights in their place.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        unet = UNet2DConditionModel.from_pretrained(base / "unet")
        control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8, 8, 8, 8))
        zeros = (
            control.controlnet_down_blocks,
            control.controlnet_mid_block,
            control.controlnet_cond_embedding.conv_out,
        )
        for parameter in [parameter for part in zeros for parameter in part.parameters()]:
            torch.nn.init.normal_(parameter, std=steers)
    control.half().save_pretrained(path)
    return Path(path)


def build_clay_depth(path: Path, base: Path) -> Path:
    """Write a tiny clay depth pair: the parts that are its own, as the recipe ships them; `base` lends the rest."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        unet = UNet2DConditionModel.from_config(
            {**UNet2DConditionModel.load_config(base / "unet"), "in_channels": 12 + 1}
        )
        size = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "num_hidden_layers": 4}
        neck = {"neck_hidden_sizes": [4, 4, 4, 4], "fusion_hidden_size": 4, "backbone_out_indices": [0, 1, 2, 3]}
        config = DPTConfig(image_size=64, patch_size=16, readout_type="ignore", **size, **neck)
        estimator = DPTForDepthEstimation(config)
    unet.half().save_pretrained(path / "unet")
    estimator.half().save_pretrained(path / "depth_estimator")
    DPTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(path / "feature_extractor")
    parts = {
        "depth_estimator": ["transformers", "DPTForDepthEstimation"],
        "feature_extractor": ["transformers", "DPTImageProcessor"],
        "unet": ["diffusers", "UNet2DConditionModel"],
    }
    (path / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionDepth2ImgPipeline", **parts}))
    return Path(path)


def build_sd15_hub(cache: Path, repository: str, revision: str) -> Path:
    """Lay a tiny Stable Diffusion 1.5 into a Hub cache, as a download of the fp16 files would.

    Args:
        cache: the folder that HF_HUB_CACHE names.
        repository: OWNER/NAME.
        revision: the commit.

    Returns:
        The snapshot's folder.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        words = tokenizer(length=77)
        pipe = StableDiffusionPipeline(
            tokenizer=words,
            text_encoder=_text_encoder(words, layers=2, positions=77),
            vae=AutoencoderKL(
                block_out_channels=(4, 4, 4, 4),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=1,
                norm_num_groups=2,
            ),
            unet=_unet(sample_size=64, channels=4),
            scheduler=_scheduler(PNDMScheduler),
            safety_checker=_safety_checker(),
            feature_extractor=CLIPImageProcessor(),
        )
    snapshot = _snapshot(cache, repository, revision)
    _halve(pipe).save_pretrained(snapshot, variant="fp16")
    _old_tokenizer_files(snapshot / "tokenizer")
    return _store(snapshot)


def build_control_hub(cache: Path, repository: str, revision: str, base: Path) -> Path:
    """Lay a tiny ControlNet for the tiny SD 1.5 in snapshot `base` into a Hub cache."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        unet = UNet2DConditionModel.from_pretrained(base / "unet", variant="fp16")
        control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8, 8, 8))
    snapshot = _snapshot(cache, repository, revision)
    control.half().save_pretrained(snapshot, variant="fp16")
    return _store(snapshot)


def _snapshot(cache: Path, repository: str, revision: str) -> Path:
    folder = Path(cache) / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text(revision)
    (folder / "snapshots" / revision).mkdir(parents=True)
    return folder / "snapshots" / revision


def _store(snapshot: Path) -> Path:
    """Move the files to blobs named by their hash and link to them, as the Hub's library does."""
    blobs = snapshot.parents[1] / "blobs"
    blobs.mkdir()
    for file in [path for path in snapshot.rglob("*") if path.is_file()]:
        blob = blobs / hashlib.sha256(file.read_bytes()).hexdigest()
        file.rename(blob)
        file.symlink_to(os.path.relpath(blob, file.parent))
    return snapshot


def _halve(pipe: StableDiffusionPipeline) -> StableDiffusionPipeline:
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.half()
    return pipe


def _text_encoder(words: CLIPTokenizer, layers: int, positions: int = 32) -> CLIPTextModel:
    sizes = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_attention_heads": 2}
    ends = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    config = CLIPTextConfig(
        vocab_size=len(words), num_hidden_layers=layers, max_position_embeddings=positions, **sizes, **ends
    )
    return CLIPTextModel(config).eval()


def _unet(sample_size: int, channels: int) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(8, 16, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        norm_num_groups=4,
        attention_head_dim=2,  # the number of heads: the old name stuck
        cross_attention_dim=WIDTH,
    ).eval()


def _scheduler(kind: type) -> SchedulerMixin:
    """Make SD's own scheduler config; like SD's file it also holds what only other schedulers read."""
    noise = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
    rest = {"steps_offset": 1, "clip_sample": False, "set_alpha_to_one": False, "skip_prk_steps": True}
    return kind.from_config(noise | rest)


def _safety_checker() -> StableDiffusionSafetyChecker:
    """Make a checker that passes everything, so that tests see pictures."""
    size = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    config = CLIPConfig(
        text_config={"vocab_size": 8, "bos_token_id": 0, "eos_token_id": 7, **size},
        vision_config={"image_size": 224, "patch_size": 112, **size},
        projection_dim=16,
    )
    checker = StableDiffusionSafetyChecker(config).eval()
    checker.concept_embeds_weights.data.fill_(1.0)
    checker.special_care_embeds_weights.data.fill_(1.0)
    return checker


def _old_tokenizer_files(folder: Path) -> None:
    """Turn tokenizer.json into the two files that SD 1.5 has."""
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = (pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"])
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    (folder / "tokenizer.json").unlink()


def _spell(word: str) -> list[tuple[str, str]]:
    """Return the merges that put a word together from the left."""
    letters = [*word[:-1], word[-1] + "</w>"]
    return [("".join(letters[:end]), letters[end]) for end in range(1, len(letters))]


def _byte_characters() -> dict[int, str]:
    """Map each byte to the printable character that byte-level BPE writes for it."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + place) for place, byte in enumerate(moved)}


def clearer(pipe):
    """Make a tiny model's words tell places apart more clearly than random weights do."""
    from course_utils import attention

    with torch.no_grad():
        for name in attention.cross_layers(pipe.unet):
            layer = pipe.unet.get_submodule(name)
            layer.to_q.weight.mul_(3)
            layer.to_k.weight.mul_(3)
    return pipe


def with_parts(kind, pipe, **more):
    """Make another pipeline of the same parts."""
    made = kind(**pipe.components, **more, requires_safety_checker=False)
    made.set_progress_bar_config(disable=True)
    return made


def controlled(pipe, base, path):
    """Make a pipeline with a ControlNet that has something to say."""
    from diffusers import StableDiffusionControlNetPipeline

    net = ControlNetModel.from_pretrained(build_clay_control(path, base)).float()
    with torch.no_grad():
        outs = net.controlnet_cond_embedding.conv_out, net.controlnet_mid_block  # all of these start at zero
        for layer in (*net.controlnet_down_blocks, *outs):
            layer.weight.normal_(generator=torch.Generator().manual_seed(0))
    return with_parts(StableDiffusionControlNetPipeline, pipe, controlnet=net)
