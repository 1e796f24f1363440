"""Stable Diffusion 1.5's own shapes at small width, with random weights, laid out as a Hub cache.

Four levels, two layers each, 13 places where a ControlNet adds, 8 heads, 77 tokens of CLIP's true vocabulary: what a
lesson asks of the lane's *structure* is as on a GPU; only the pictures mean nothing.
"""

import gzip
from pathlib import Path

import torch
from diffusers import AutoencoderKL, ControlNetModel, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
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
