"""Stable Diffusion 1.5's own shapes at small width, with random weights, laid out as a Hub cache.

Four levels, two layers each, 13 places where a ControlNet adds, 8 heads, 77 tokens of CLIP's true vocabulary: what a
lesson asks of the lane's *structure* is as on a GPU; only the pictures mean nothing.
"""

import gzip
import re
from pathlib import Path

import torch
from diffusers import AutoencoderKL, ControlNetModel, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPImageProcessor, CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from course_utils import catalog

from . import annotators, hub, models

MERGES = Path(__file__).with_name("bpe_simple_vocab_16e6.txt.gz")  # of OpenAI's CLIP (MIT licence)
WIDTH = 32  # of text encoder and cross-attention; 768 in the real one


def tokenizer() -> CLIPTokenizer:
    """Build CLIP's own tokenizer: 49,408 pieces, 77 tokens."""
    lines = gzip.decompress(MERGES.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    merges = [tuple(line.split()) for line in lines]
    letters = list(models._byte_characters().values())
    pieces = [*letters, *(letter + "</w>" for letter in letters), *map("".join, merges), models.START, models.END]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def unet(in_channels: int = 4) -> UNet2DConditionModel:
    """Build the UNet: the levels, layers and heads of the real one, a twentieth of its width."""
    return UNet2DConditionModel(
        sample_size=64,
        in_channels=in_channels,
        out_channels=4,
        block_out_channels=(16, 32, 64, 64),
        layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        norm_num_groups=8,
        attention_head_dim=8,  # the number of heads: the old name stuck
        cross_attention_dim=WIDTH,
    ).eval()


def parts(in_channels: int = 4) -> dict:
    """Build what every Stable Diffusion has."""
    words = tokenizer()
    sizes = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_attention_heads": 4, "num_hidden_layers": 2}
    ends = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
    return {
        "tokenizer": words,
        "text_encoder": CLIPTextModel(CLIPTextConfig(vocab_size=49408, max_position_embeddings=77, **sizes, **ends)),
        "vae": AutoencoderKL(
            block_out_channels=(8, 8, 16, 16),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=1,
            norm_num_groups=4,
            scaling_factor=0.18215,
        ),
        "unet": unet(in_channels),
        "scheduler": models._scheduler(PNDMScheduler),
    }


def build(cache: Path) -> dict[str, str]:
    """Lay everything that the sd15 lane may ask for into a Hub cache.

    Returns:
        The SHA-256 of each pickle by its file's name: random weights, so the table's own cannot fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(15)
        checker = {"safety_checker": models._safety_checker(), "feature_extractor": CLIPImageProcessor()}
        base = _entry("base")
        folder = hub._lay(
            StableDiffusionPipeline(**parts(), **checker), cache, base.id, base.revision, "CLIPFeatureExtractor"
        )
        for name in catalog.CONTROLS:
            _lay_control(cache, _entry(f"control {name}"), folder)
    hub.build_depth2img_hub(cache, _entry("depth2img").id, _entry("depth2img").revision, parts=parts)
    hub.build_inpaint_hub(cache, _entry("inpaint").id, _entry("inpaint").revision, parts=parts)
    estimator = _entry("depth estimator")
    annotators.build_depth_hub(cache, estimator.id, estimator.revision)
    segmenter = annotators.build_segmenter_hub(cache, _entry("segmenter").id)
    return {path.name: path.resolve().name for path in segmenter.glob("*.bin")}


def _entry(use: str):
    return catalog.checkpoint(use, "sd15")


def _lay_control(cache: Path, entry, base: Path) -> None:
    """Lay a ControlNet with the real one's hint encoder; it says a little, so that scales and masks matter."""
    net = ControlNetModel.from_unet(UNet2DConditionModel.from_pretrained(base / "unet", variant="fp16"))
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.02 * torch.randn(weight.shape))
    snapshot = models._snapshot(cache, entry.id, entry.revision or annotators.MAIN)
    net.half().save_pretrained(snapshot, variant="fp16")
    models._store(snapshot)


def single_file(pipe: StableDiffusionPipeline, path: Path) -> Path:
    """Write a pipeline as one file, its tensors named as Stable Diffusion's first programs did (CompVis, 2022)."""
    tensors = {f"model.diffusion_model.{_ldm_unet(name)}": tensor for name, tensor in pipe.unet.state_dict().items()}
    for name, tensor in pipe.vae.state_dict().items():
        square = "attentions" in name and tensor.ndim == 2  # a matrix was a convolution of one pixel then
        tensors[f"first_stage_model.{_ldm_vae(name)}"] = tensor[..., None, None] if square else tensor
    for name, tensor in pipe.text_encoder.state_dict().items():
        tensors[f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}"] = tensor
    save_file({name: tensor.clone().contiguous() for name, tensor in tensors.items()}, path)
    return path


def _ldm_unet(name: str) -> str:
    def layer(found: re.Match) -> str:
        side, level, kind, number = found[1], int(found[2]), found[3], int(found[4])
        if kind == "downsamplers":
            return f"input_blocks.{3 * (level + 1)}.0."
        if kind == "upsamplers":
            return f"output_blocks.{3 * level + 2}.{2 if level else 1}."
        place = 3 * level + number
        return f"{'input' if side == 'down' else 'output'}_blocks.{place + (side == 'down')}.{int(kind != 'resnets')}."

    name = re.sub(r"^(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.", layer, name)
    name = re.sub(r"^mid_block\.resnets\.(\d)\.", lambda found: f"middle_block.{2 * int(found[1])}.", name)
    if "transformer_blocks" not in name:
        for here, there in {
            "mid_block.attentions.0.": "middle_block.1.", "time_embedding.linear_1": "time_embed.0",
            "time_embedding.linear_2": "time_embed.2", "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0",
            "conv_out": "out.2", "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0",
            "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
        }.items():  # fmt: skip
            name = name.replace(here, there)
        return re.sub(r"^(input_blocks\.\d+\.0)\.conv\.", r"\1.op.", name)
    return name.replace("mid_block.attentions.0.", "middle_block.1.")


def _ldm_vae(name: str) -> str:
    def upper(found: re.Match) -> str:
        return f"decoder.up.{3 - int(found[1])}."

    name = re.sub(r"^decoder\.up_blocks\.(\d)\.", upper, name).replace("down_blocks", "down")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", name)
    for here, there in {
        "mid_block.attentions.0": "mid.attn_1", "resnets": "block", "downsamplers.0": "downsample",
        "upsamplers.0": "upsample", "conv_shortcut": "nin_shortcut", "conv_norm_out": "norm_out",
        "group_norm": "norm", "to_out.0": "proj_out", "to_q": "q", "to_k": "k", "to_v": "v",
    }.items():  # fmt: skip
        name = name.replace(here, there)
    return name
