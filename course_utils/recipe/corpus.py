"""Captions as tokens: the tokenizer, and which token belongs to which instance."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from ..clay import vocabulary as words
from ..clay.captions import CAPTION_MIX, NUMBERS, PLACE_WORDS, SYNONYMS, Caption, CaptionMix, caption
from ..clay.scenes import Scene
from . import data

LENGTH = 32  # tokens, start and end included
VARIANTS = 4  # captions kept for each scene
SEED = 17
Mixes = CaptionMix | tuple[CaptionMix, ...]
# Words that people type and the captions lack; they become whole tokens, so that a lesson's sentence stays short.
EXTRA = (
    "the is are of to at under over from my your big small little happy sunny blurry bad quality "
    "pixel art style sks clay person animal"
).split()
WORLD = (
    *words.THINGS, *words.COLOURS, *words.STYLES, *words.HELD_OUT_STYLES, *NUMBERS,
    *(word for many in (*SYNONYMS.values(), *PLACE_WORDS.values()) for word in many),
)  # fmt: skip


def captions(seed: int, number: int, mix: Mixes = CAPTION_MIX, variants: int = VARIANTS) -> list[list]:
    """Write ``variants`` captions for each scene of a shard: [scene][variant] of ``Caption``."""
    shard = data.read_shard(seed, number)
    scenes = map(Scene.from_json, shard.scenes)
    return [captions_of(scene, seed, shard.first + k, mix, variants) for k, scene in enumerate(scenes)]


def captions_of(
    scene: Scene, seed: int, index: int, mix: Mixes = CAPTION_MIX, variants: int = VARIANTS
) -> list[Caption]:
    """Write the captions of scene number ``index`` of the world ``seed``; of several mixes each writes in turn."""
    rng = np.random.default_rng([SEED, seed, index])
    mixes = (mix,) if isinstance(mix, CaptionMix) else mix
    return [caption(scene, rng, mixes[k % len(mixes)]) for k in range(variants)]


def train_tokenizer(texts: list[str], folder: Path) -> CLIPTokenizer:
    """Train CLIP's kind of byte-level BPE on ``texts`` until every word of them is one token, and save it.

    Bytes are the fallback: any text encodes, an unknown word as its letters.
    """
    model = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    model.normalizer = normalizers.Lowercase()
    split = pre_tokenizers.Split(_pattern(), "removed", invert=True)
    model.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    counts = Counter(word for t in texts for word in t.lower().replace(",", " ").split())
    corpus = [w for w, n in sorted(counts.items()) for _ in range(min(n, 50) + 3)]
    known = [w for phrase in (*EXTRA, *WORLD) for w in phrase.split()]
    trainer = trainers.BpeTrainer(vocab_size=3000, min_frequency=2, initial_alphabet=sorted(alphabet),
                                  end_of_word_suffix="</w>", show_progress=False)  # fmt: skip
    model.train_from_iterator(corpus + known * 3, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    model.model.save(str(folder))
    return _clip(folder, sorted(alphabet))


def _pattern():
    from tokenizers import Regex

    return Regex(r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+""")


def _clip(folder: Path, alphabet: list[str]) -> CLIPTokenizer:
    """Order the vocabulary as CLIP's (bytes, bytes at a word's end, merges, start, end) and save a CLIPTokenizer."""
    lines = (folder / "merges.txt").read_text("utf8").splitlines()
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#")]
    tokens = [*alphabet, *(a + "</w>" for a in alphabet), *("".join(m) for m in merges)]
    tokens = list(dict.fromkeys(tokens)) + ["<|startoftext|>", "<|endoftext|>"]
    vocab = {token: i for i, token in enumerate(tokens)}
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=LENGTH)
    save_tokenizer(tokenizer, folder)
    return tokenizer


def save_tokenizer(tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Save the tokenizer, also in CLIP's older layout (vocab.json, merges.txt) that other readers want."""
    tokenizer.save_pretrained(folder)
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    pairs = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False), "utf8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(pairs) + "\n", "utf8")


def encode(tokenizer: CLIPTokenizer, made: list) -> tuple[np.ndarray, np.ndarray]:
    """Encode captions.

    Args:
        tokenizer: the clay tokenizer.
        made: n captions with spans.

    Returns:
        ids int16 [n, token] and owners int8 [n, token]: the instance a token belongs to, or -1.
    """
    out = tokenizer(
        [c.text for c in made], padding="max_length", truncation=True, max_length=LENGTH, return_offsets_mapping=True
    )
    owners = np.full((len(made), LENGTH), -1, np.int8)
    for row, (c, offsets) in enumerate(zip(made, out["offset_mapping"], strict=True)):
        for token, (start, end) in enumerate(offsets):
            for a, b, instance in c.spans:
                if end > start and a <= start and end <= b:
                    owners[row, token] = instance
    return np.array(out["input_ids"], np.int16), owners


def tokenizer() -> CLIPTokenizer:
    """Load the clay tokenizer: the cache's, else the one that ships, else train one on captions."""
    folder = data.cache() / "tokenizer"
    for place in (folder, data.SHIPPED / "tokenizer"):
        if (place / "vocab.json").exists() or (place / "tokenizer.json").exists():
            return CLIPTokenizer.from_pretrained(place)
    made = [c.text for number in data.shards(data.TRAIN)[:2] for scene in captions(data.TRAIN, number) for c in scene]
    return train_tokenizer(made, folder)
