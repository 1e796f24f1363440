"""What a training step costs beside its parts: `python benchmarks/training_step.py [NAME ...]`.

One run, interleaved: the step of each trainer (draws, loss, loop, moving average) against the bare forward, backward
and optimizer calls on the same modules and sizes. CPU seconds, so that other programs do not count. With the variable
EMULATED=1 bfloat16 counts as not native, as on a CPU with AVX2 only.
"""

import copy
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from diffusers.models.attention_processor import AttnProcessor
from picture import pipeline
from PIL import Image

from course_utils import controlnet, env, personalize
from course_utils.controls.reader import Reader
from course_utils.judge.network import Judge
from course_utils.personalize.batches import PreservationLoss, base_answers, encode_examples, prior_captions
from course_utils.personalize.runs import adamw, step_generator
from course_utils.recipe import autoencoder, base, control, data, judge, judge_truth, latents, maps, reader
from course_utils.recipe.reader_batches import ReaderBatches
from course_utils.training import Loop, Plan, autocast, eased, optimizers

ROUNDS, SCENES = 9, 24
BASE, PAIRS = 32, 8  # samples of a step; the recipe's are larger, where the fixed costs count for less

Loss = Callable[[int], torch.Tensor]


def compare(name: str, modules: dict, loss: Loss, bare: Loss, ema_steps: int, choose=optimizers) -> None:
    """Time a trainer's step and the bare one in turn; print medians and the ratio."""
    own = choose(list(modules.values()), 1e-5)

    def bare_step() -> None:
        bare(0).backward()
        for optimizer in own:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    took: dict[str, list[float]] = {"step": [], "bare": []}
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(folder, modules, Plan(steps=1000, learning_rate=1e-5, ema_steps=ema_steps), choose=choose)
        for round_ in range(ROUNDS + 2):
            for kind, call in (("step", lambda: loop.update(loss(loop.step))), ("bare", bare_step)):
                began = time.process_time()
                call()
                if round_ > 1:  # the first ones warm up
                    took[kind].append(time.process_time() - began)
    ratio = statistics.median(a / b for a, b in zip(*took.values(), strict=True))
    step, alone = (statistics.median(seconds) for seconds in took.values())
    print(f"{name}: step {step * 1e3:.0f} ms, bare {alone * 1e3:.0f} ms, ratio: median {ratio:.3f}", flush=True)


def predicted(unet, z: torch.Tensor, words: torch.Tensor, **more) -> torch.Tensor:
    """Give a loss that nothing but a UNet's forward costs."""
    with autocast(z.device):
        return unet(z, torch.full((len(z),), 500), words, return_dict=False, **more)[0].float().pow(2).mean()


def personal(name: str, pipe, unet, modules: dict, config) -> None:
    """Measure a LoRA or a DreamBooth."""
    example = personalize.Example(Image.new("RGB", (config.width, config.height), "red"), "a sks robot")
    subject, prior = encode_examples(pipe, [example] * 5, config.random_flip), None
    if config.prior_loss_weight:
        prior = base_answers(pipe, prior_captions("sks robot", config), subject)
    loss = PreservationLoss(pipe, subject, prior, config)
    size = config.train_batch_size * (2 if prior else 1)
    z, words = subject.latents[:size], loss.words(["a sks robot"] * size)
    with eased([unet], config.latent_pixels(pipe.vae_scale_factor), config.gradient_checkpointing):
        step = lambda number: loss(unet, step_generator(0, number), config.train_batch_size)  # noqa: E731
        compare(name, modules, step, lambda _: predicted(unet, z, words), config.ema_steps, adamw)


def lora() -> None:
    """Measure at the clay lane's preset."""
    pipe, config = pipeline(), personalize.preset("lora", "clay")
    with personalize.injected(pipe, config) as named:
        personal("lora", pipe, pipe.unet, {"lora": torch.nn.ParameterList(named.values())}, config)


def dreambooth() -> None:
    """Measure without prior pictures."""
    pipe = pipeline()
    unet = copy.deepcopy(pipe.unet).requires_grad_(True)
    config = personalize.preset("dreambooth", "clay", prior_loss_weight=0.0)
    personal("dreambooth", pipe, unet, {"unet": unet}, config)


@contextmanager
def rendered() -> Iterator[None]:
    """Render a few scenes of each world into a cache of their own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COURSE_CACHE"], data.SHARD = folder, SCENES
        for world in (data.TRAIN, data.JUDGE):
            data.make_shard(world, 0)
        for world in (data.TRAIN, data.READER):
            maps.make_shard(world, 0)
        latents.make(autoencoder.trained(), data.TRAIN, 0)
        yield


def train_base() -> None:
    """Measure the base: its loss also looks at word maps and classes."""
    pipe, generator = pipeline(), torch.Generator().manual_seed(0)
    unet = base.shipped().to(memory_format=torch.channels_last)
    plain = unet.attn_processors
    head, world = base.ClassHead(unet), latents.load(pipe.tokenizer)
    loss = base.BaseLoss(unet, pipe.text_encoder, pipe.tokenizer, head)
    recording = unet.attn_processors
    z = torch.randn(BASE, 12, 16, 16).contiguous(memory_format=torch.channels_last)
    words = torch.randn(BASE, pipe.tokenizer.model_max_length, 256)

    def step(_: int) -> torch.Tensor:
        unet.set_attn_processor(dict(recording))
        return loss(world.draw(BASE, generator), generator)

    def bare(_: int) -> torch.Tensor:
        unet.set_attn_processor({name: AttnProcessor() for name in plain})
        found = predicted(unet, z, words)
        head.features.clear()
        return found

    compare("base", {"unet": unet, "namer": head}, step, bare, base.PLAN.ema_steps)


def train_control() -> None:
    """Measure a ControlNet."""
    pipe, generator = pipeline(), torch.Generator().manual_seed(0)
    pairs, net, config = control.DrawnPairs("canny", pipe.tokenizer), controlnet.copy_of(pipe), control.CONFIG
    loss = controlnet.training.ControlNetLoss(pipe, net, config)
    drawn = pairs.draw(PAIRS, generator)
    words = pipe.text_encoder(drawn.ids).last_hidden_state.detach()
    t = torch.full((PAIRS,), 500)

    def bare(_: int) -> torch.Tensor:
        z, hint = (part.contiguous(memory_format=torch.channels_last) for part in (drawn.latents, drawn.hint))
        with autocast(z.device):
            skips, middle = net(z, t, words, hint, return_dict=False)
        return predicted(
            pipe.unet, z, words, down_block_additional_residuals=skips, mid_block_additional_residual=middle
        )

    with controlnet.locked(pipe), eased([pipe.unet, net], drawn.latents[0, 0].numel(), checkpointing=False):
        step = lambda _: loss(pairs.draw(PAIRS, generator), generator)  # noqa: E731
        compare("controlnet", {"net": net}, step, bare, config.ema_steps)


def train_judge() -> None:
    """Measure the judge: its pictures are pasted, spoiled and seen by a bad camera on the way."""
    model = Judge().to(memory_format=torch.channels_last)
    batches = judge.JudgeBatches(judge_truth.keep(data.JUDGE, 0), 0)
    x = torch.cat([batches.batch()[0], batches.hands()[0]])

    def bare(_: int) -> torch.Tensor:
        with autocast(x.device):
            outputs = model(x)
        return sum(out.float().pow(2).mean() for out in outputs)

    compare("judge", {"judge": model}, lambda _: judge.loss_of(model, batches), bare, judge.PLAN.ema_steps)


def train_reader() -> None:
    """Measure the reader."""
    model = Reader().to(memory_format=torch.channels_last)
    batches = ReaderBatches([maps.read(data.READER, 0)], [reader.trips(0)], 0)
    x, hands = batches.batch(reader.BATCH).x, batches.hands(reader.HANDS)[0]

    def bare(_: int) -> torch.Tensor:
        with autocast(x.device):
            outputs = [*model(x), model(hands).fingers]
        return sum(out.float().pow(2).mean() for out in outputs)

    compare("reader", {"reader": model}, lambda _: reader.loss_of(model, batches), bare, reader.PLAN.ema_steps)


TRAINERS = {
    "lora": lora, "dreambooth": dreambooth, "base": train_base, "controlnet": train_control, "judge": train_judge,
    "reader": train_reader,
}  # fmt: skip


def main() -> None:
    """Measure those that are asked for, or all."""
    if os.environ.get("EMULATED"):
        env.native_bfloat16 = lambda: False
    torch.manual_seed(0)
    with rendered():
        for name in sys.argv[1:] or TRAINERS:
            TRAINERS[name]()


if __name__ == "__main__":
    main()
