"""The table of checkpoints, and how a kind of pipeline finds its own.

The ControlNets mlsd, scribble and seg are not pinned: the table was made where the Hub could not be asked for their
commits, so they come from its branch main and may change. `python -m tools.check_hub`, online and by hand, prints the
arguments that pin them, commit and SHA-256, and says of every line whether it still lives.
"""

from __future__ import annotations

from dataclasses import dataclass

OPENRAIL = "CreativeML OpenRAIL-M"
CLAY = "CC-BY-4.0"


@dataclass(frozen=True)
class Pickle:
    """A file of weights that exists only as a pickle: it is refused unless it is this one to the last bit."""

    name: str
    sha256: str
    size_gb: float


@dataclass(frozen=True)
class Checkpoint:
    """One set of weights."""

    id: str  # OWNER/NAME on the Hub; a folder under assets/ for the clay family
    revision: str | None  # the commit; None is the branch main, see above
    licence: str
    size_gb: float  # what is downloaded, or lies under assets/
    variant: str | None = None  # "fp16": the files NAME.fp16.safetensors
    fallback: str = ""  # what to use if it vanishes
    note: str = ""
    hashes: tuple[tuple[str, str], ...] = ()  # file and SHA-256 of the weights, once known: any other is refused
    pickles: tuple[Pickle, ...] = ()  # where there is no safetensors; `fetch_pickles` brings them one by one
    part: str = ""  # of a pipeline: of this part alone the weights are wanted, and the settings of all

    @property
    def local(self) -> bool:
        """Tell whether it ships with the course."""
        return self.id.startswith("models/")


def _clay(name: str, size_gb: float, note: str = "") -> Checkpoint:
    return Checkpoint(f"models/{name}", None, CLAY, size_gb, note=note)


def _control(name: str, revision: str | None, note: str = "", hashes: tuple = ()) -> Checkpoint:
    fallback = "lllyasviel/sd-controlnet-" + {"openpose": "openpose", "normalbae": "normal"}.get(name, name)
    identity = f"lllyasviel/control_v11{'f1' if name == 'depth' else ''}p_sd15_{name}"
    return Checkpoint(identity, revision, "openrail", 0.72, "fp16", fallback, note, hashes)


# What the detectors of controlnet_aux read.
ANNOTATORS = (
    Pickle("mlsd_large_512_fp32.pth", "5696f168eb2c30d4374bbfd45436f7415bb4d88da29bea97eea0101520fba082", 0.006),
    Pickle("ControlNetHED.pth", "5ca93762ffd68a29fee1af9d495bf6aab80ae86f08905fb35472a083a4c7a8fa", 0.03),
    Pickle("body_pose_model.pth", "25a948c16078b0f08e236bda51a385d855ef4c153598947c28c0d47ed94bb746", 0.21),
    Pickle("hand_pose_model.pth", "b76b00d1750901abd07b9f9d8c98cc3385b8fe834a26d4b4f0aad439e75fc600", 0.15),
    Pickle("scannet.pt", "03dbf1600c51ee3d45c29f77b77bf1a3b7a24c3452dba62a4ae658f37330c209", 0.29),
)
UPERNET = Pickle("pytorch_model.bin", "76c163aa531ab7edfb3a77bbcc039e340645aa0ffe2b0ffcfc68755f550c76ea", 0.33)
# The word after "control " is the argument `control` of `load`.
CHECKPOINTS: dict[str, dict[str, Checkpoint]] = {
    "clay": {
        "base": _clay("clay-base", 0.04, "a Stable Diffusion of clay: f = 16, 12 latent channels, 32 tokens"),
        "depth2img": _clay("clay-depth", 0.03, "a UNet with a depth channel, a depth network; the base has the rest"),
        **{f"control {name}": _clay(f"clay-control-{name}", 0.012)
           for name in ("canny", "mlsd", "scribble", "openpose", "seg", "depth", "normal")},
    },
    "sd15": {
        "base": Checkpoint(
            "stable-diffusion-v1-5/stable-diffusion-v1-5", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14", OPENRAIL, 2.7,
            "fp16", "CompVis/stable-diffusion-v1-4",
            "UNet 1.72 GB, safety checker 0.6, text encoder 0.25, autoencoder 0.17; the runwayml repository is gone",
        ),
        "inpaint": Checkpoint(
            "stable-diffusion-v1-5/stable-diffusion-inpainting", "8a4288a76071f7280aedbdb3253bdb9e9d5d84bb", OPENRAIL,
            2.7, "fp16", "img2img that puts the kept latents back after each step",
        ),
        "depth2img": Checkpoint(
            "sd2-community/stable-diffusion-2-depth", "6cb92dd9430a7f6da8d9e99d7b60acdebcc348b7", "openrail++", 2.8,
            "fp16", "img2img with the depth ControlNet", "stabilityai's own copies vanished in November 2025",
        ),
        "control canny": _control("canny", "115a470d547982438f70198e353a921996e2e819"),
        "control mlsd": _control("mlsd", None),
        "control scribble": _control("scribble", None),
        "control openpose": _control("openpose", "9ae9f970358db89e211b87c915f9535c6686d5ba"),
        "control seg": _control("seg", None),
        "control depth": _control("depth", "539f99181d33db39cf1af2e517cd8056785f0a87", "v11p depth is superseded"),
        "control normal": _control("normalbae", "cb7296e6587a219068e9d65864e38729cd862aa8"),
        "segmenter": Checkpoint(  # pinned by the SHA-256 of its weights
            "openmmlab/upernet-convnext-small", None, "MIT", 0.33, note="ADE20K classes, for seg", pickles=(UPERNET,),
        ),
        "annotators": Checkpoint(
            "lllyasviel/Annotators", "982e7edaec38759d914a963c48c4726685de7d96",
            "mixed; the OpenPose weights are for non-commercial use only", 0.68,
            note="M-LSD, HED, OpenPose's bodies and hands, NormalBae", pickles=ANNOTATORS,
        ),
        "depth estimator": Checkpoint(
            "depth-anything/Depth-Anything-V2-Small-hf", "5426e4f", "Apache-2.0", 0.1,
            note="Base and Large are CC-BY-NC",
        ),
    },
}  # fmt: skip
# kind: (the checkpoint that it stands on, the class in diffusers)
KINDS = {
    "text2img": ("base", "StableDiffusionPipeline"),
    "img2img": ("base", "StableDiffusionImg2ImgPipeline"),
    "inpaint": ("inpaint", "StableDiffusionInpaintPipeline"),
    "depth2img": ("depth2img", "StableDiffusionDepth2ImgPipeline"),
    "controlnet": ("base", "StableDiffusionControlNetPipeline"),
    "controlnet_img2img": ("base", "StableDiffusionControlNetImg2ImgPipeline"),
}
CONTROLLED = ("controlnet", "controlnet_img2img")  # kinds that want ControlNets


def control_names(lane: str | None = None) -> tuple[str, ...]:
    """Return the controls that a lane has a ControlNet for, in the table's order; None is both lanes."""
    uses = [use for name, table in CHECKPOINTS.items() if lane in (None, name) for use in table]
    return tuple(dict.fromkeys(use.removeprefix("control ") for use in uses if use.startswith("control ")))


CONTROLS = control_names("clay")  # those that the course trains a net for


def checkpoint(use: str, lane: str) -> Checkpoint:
    """Look a checkpoint up.

    Args:
        use: a key of `CHECKPOINTS[lane]`, such as "base" or "control canny".
        lane: "clay" or "sd15".

    Raises:
        ValueError: the lane has none for that use; says which it has.
    """
    entries = CHECKPOINTS[lane]
    if use in entries:
        return entries[use]
    if (use, lane) == ("inpaint", "clay"):
        raise ValueError(
            "kind='inpaint' is not on the clay lane: StableDiffusionInpaintPipeline wants 4 latent channels, the clay "
            "family has 12; use 'img2img' and put the kept latents back after each step, as lesson 02 does."
        )
    raise ValueError(f"use={use!r} is not on the {lane} lane; use one of {_names(entries)}.")


def class_of(kind: str) -> tuple[str, str]:
    """Return the use and the class name of a kind of pipeline.

    Raises:
        ValueError: no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is no kind of pipeline; use one of {_names(KINDS)}.")
    return KINDS[kind]


def check_controls(kind: str, controls: list[str], given: bool) -> None:
    """Raise unless the controls suit the kind.

    Args:
        kind: a key of `KINDS`.
        controls: their names.
        given: the ControlNet comes from a folder, so that no name is needed.

    Raises:
        ValueError: missing, unknown, or not wanted.
    """
    known = control_names()
    unknown = [name for name in controls if name not in known]
    if unknown:
        raise ValueError(f"control={unknown[0]!r} is no control; use one of {_names(known)}.")
    if kind in CONTROLLED and not controls and not given:
        raise ValueError(f"kind={kind!r} needs control=, one or a list of {_names(known)}.")
    if kind not in CONTROLLED and controls:
        wanted = " or ".join(map(repr, CONTROLLED))
        raise ValueError(f"control={controls[0]!r} goes with kind={wanted}, not with kind={kind!r}.")


def _names(names) -> str:
    return ", ".join(map(repr, names))
