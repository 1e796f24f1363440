"""Lesson 11's room: clips and their motion, files of all kinds, what steadies, the ladder, the measures."""

import io
import wave

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import catalog, clay, env, video
from course_utils.clay.motion import moving
from course_utils.video.clips import estimate
from tests.tiny import models

SIZE = (64, 96)


@pytest.fixture(scope="module")
def clip():
    return video.moving("a red car and a tree on the beach", "turn", 4, *SIZE)


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assets")
    base = models.build_clay_folder(folder / "models/clay-base")
    models.build_clay_control(folder / "models/clay-control-depth", base, steers=1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(env, "ASSETS", folder)
        catalog.release()
        yield catalog.with_scheduler(catalog.load("controlnet", "clay", control="depth"), "ddim")
        catalog.release()


@pytest.fixture(scope="module")
def both_kinds(pipe):
    return pipe, catalog.load("controlnet_img2img", "clay", control="depth")


# Scenes that move


@pytest.mark.parametrize("motion, words", [("walk", "a man in the garden"), ("turn", "a house"),
                                           ("behind", "a cat and a bench")])  # fmt: skip
def test_what_moves_keeps_its_things_and_the_flow_carries_it(motion, words):
    made = [clay.render(scene, 64, 64) for scene in moving(words, motion, 3)]
    assert all((made[0].clay.rows.shape == each.clay.rows.shape) for each in made)
    clip = video.Clip([Image.fromarray(each.image) for each in made], words, made)
    still = video.Clip(clip.frames, words)
    still._flows.update({(k, k + 1): (np.zeros((64, 64, 2), np.float32), np.ones((64, 64), bool)) for k in range(2)})
    assert video.warping_error(clip.frames, clip) < 0.6 * video.warping_error(clip.frames, still)


@pytest.mark.parametrize("given, word", [({"motion": "jump"}, "walk"), ({"frames": 1}, "at least 2"),
                                         ({"words": "a red car"}, "man or a woman"),
                                         ({"words": "a cat", "motion": "behind"}, "two things")])  # fmt: skip
def test_a_motion_that_cannot_be_says_why(given, word):
    with pytest.raises(ValueError, match=word):
        moving(**{"words": "a man"} | given)


def test_more_frames_are_a_longer_clip_not_a_slower_one():
    short, long = (moving("a house", "turn", count)[0].camera.eye for count in (3, 5))
    assert moving("a house", "turn", 5)[1].camera.eye == pytest.approx(short) and long != pytest.approx(short)


# Files


def film(count=6, size=(48, 64)):
    rng = np.random.default_rng(0)
    ground = np.asarray(Image.fromarray(rng.integers(0, 255, (6, 8, 3), np.uint8)).resize(size[::-1]))
    return [Image.fromarray(np.roll(ground, 2 * k, 1)) for k in range(count)]


@pytest.mark.parametrize("write, most", [(video.to_gif, 12.0), (video.to_mp4, 8.0)])
def test_what_is_written_is_read_again(write, most, tmp_path):
    frames = film()
    data = write(frames, tmp_path / "film", fps=8)
    assert (tmp_path / "film").read_bytes() == data
    clip = video.read(tmp_path / "film", frames=8, height=48, width=64)
    apart = [
        np.abs(np.asarray(a, float) - np.asarray(b, float)).mean() for a, b in zip(clip.frames, frames, strict=True)
    ]
    assert len(clip) == 6 and max(apart) < most and not clip.notes


def test_a_gif_loops_and_a_film_shows_itself_with_its_text():
    with Image.open(io.BytesIO(video.to_gif(film()))) as gif:
        assert gif.info["loop"] == 0 and gif.n_frames == 6
    assert "video/mp4" in (page := video.Film(film(), 'a "ball"')._repr_html_()) and "&quot;ball&quot;" in page
    assert "image/gif" in video.Film(film(), "a ball", kind="gif")._repr_html_()
    with pytest.raises(ValueError, match="'mp4' or 'gif'"):
        video.Film(film(), "a ball", kind="avi")


def test_an_odd_side_loses_a_row():
    clip = video.read(video.to_mp4(film(size=(49, 65))), height=48, width=64)
    assert clip.size == (48, 64)


def test_frames_come_at_equal_times_whatever_the_rate():
    first, second = film(2)
    buffer = io.BytesIO()  # one picture for half a second, then one for a tenth
    first.save(buffer, "GIF", save_all=True, append_images=[second], duration=[500, 100])
    clip = video.read(buffer.getvalue(), height=48, width=64, fps=10)
    far = [[np.abs(np.asarray(frame, float) - np.asarray(each, float)).mean() for each in (first, second)]
           for frame in clip.frames]  # fmt: skip
    same = [to_first < to_second for to_first, to_second in far]
    assert same == [True] * 5 + [False]


def test_a_video_of_variable_rate_is_read_by_its_clock():
    import av

    buffer, frames = io.BytesIO(), [Image.new("RGB", (64, 48), colour) for colour in ("black", "white", "black")]
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for frame, at in zip(frames, (0, 15, 18), strict=True):  # thirtieths of a second
            picture = av.VideoFrame.from_image(frame)
            picture.pts = at
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    taken = video.files.read_frames(buffer.getvalue(), 64, video.clips.Fraction(1, 10))[0]
    assert [np.asarray(frame.convert("L")).mean() > 128 for frame in taken][:6] == [False] * 5 + [True]


def test_transparency_becomes_white():
    frames = [Image.new("RGBA", (64, 48), (255, 0, 0, 0)) for _ in range(3)]
    frames[1].putpixel((3, 3), (0, 0, 0, 255))
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], duration=125, lossless=True)
    clip = video.read(buffer.getvalue(), height=48, width=64)
    assert np.asarray(clip.frames[0]).min() == 255


def test_a_clip_ends_where_the_scene_cuts():
    frames = film(5) + [Image.new("RGB", (64, 48), "white")] * 4
    clip = video.read(video.to_mp4(frames), height=48, width=64)
    assert len(clip) == 5 and "cuts after frame 5" in clip.notes[-1]
    with pytest.raises(ValueError, match="before its first cut"):
        video.from_frames([Image.new("RGB", (64, 48), colour) for colour in ("black", "white", "white")])
    assert len(video.moving("a man in the garden", "walk", 8, *SIZE).frames) == 8


def test_a_long_file_is_read_as_far_as_it_is_needed():
    clip = video.read(video.to_mp4(film(40)), frames=4, height=48, width=64)
    assert len(clip) == 4 and "first 4 frames of 5.0 s" in clip.notes[0]


def sound():
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(8000)
        file.writeframes(bytes(16000))
    return buffer.getvalue()


@pytest.mark.parametrize("source, frames, word", [
    (b"", 8, "0 bytes"), (b"no video at all", 8, "no video that can be read"), (sound(), 8, "sound but no pictures"),
    (b"\0\0\0\x20ftypisom" + bytes(500), 8, "no video|no pictures"), ("one", 8, "one picture only"),
    ("film", 1, "2 to 64"), ("film", 10_000, "2 to 64"),
])  # fmt: skip
def test_what_is_no_clip_says_so(source, frames, word):
    made = {"one": lambda: as_png(film(1)[0]), "film": lambda: video.to_mp4(film())}
    with pytest.raises(ValueError, match=word):
        video.read(made[source]() if isinstance(source, str) else source, frames=frames)


def as_png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_half_a_file_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone.mp4"):
        video.read(tmp_path / "gone.mp4")
    whole = video.to_mp4(film(8))
    with pytest.raises(ValueError, match="source"):
        video.read(whole[: len(whole) // 4])


# Motion, noise, measures


def test_the_estimate_is_near_the_truth(clip):
    clip = video.moving("a red car and a tree on the beach", "turn", 2, 128, 128)
    (exact, seen), (found, _) = clip.flow(0, 1), estimate(*map(np.asarray, clip.frames))
    things = seen & (clip.made[0].instance >= 0)
    assert np.median(np.linalg.norm(exact - found, axis=-1)[things]) < 1.0


def test_pulling_brings_a_frame_onto_another():
    clip = video.moving("a man in the garden", "walk", 2, *SIZE)
    (flow, visible), (first, second) = clip.flow(0, 1), (np.asarray(frame, float) for frame in clip.frames)
    left = ((video.pull(clip.frames[1], flow) - first) ** 2)[visible].mean()
    assert left < 0.4 * ((second - first) ** 2)[visible].mean()


def test_the_warping_error_is_that_of_its_definition(clip):
    grey = [Image.new("RGB", SIZE[::-1], (shade,) * 3) for shade in (0, 51, 0, 51)]
    assert video.warping_error(grey, clip) == pytest.approx(0.04, rel=1e-3)
    assert video.warping_error(grey, clip, first=True) == pytest.approx(0.04 * 2 / 3, rel=1e-3)
    with pytest.raises(ValueError, match="the clip has 4"):
        video.warping_error(grey[:3], clip)


def test_carried_noise_is_white_and_the_smeared_is_not(clip):
    big = video.moving("a red car and a tree on the beach", "turn", 6, 256, 256)
    shape = (48, 16, 16)
    white, smeared = (make(big, shape, 0)[1] for make in (video.carried_noise, video.smeared_noise))
    assert abs(float(white.std()) - 1) < 0.06 and float(smeared.std()) < 0.9

    def neighbours(noise):
        return float((noise[..., 1:] * noise[..., :-1]).mean() / (noise**2).mean())

    assert abs(neighbours(white)) < 0.06 < 0.2 < neighbours(smeared)
    assert torch.equal(video.carried_noise(big, shape, 0), video.carried_noise(big, shape, 0))


def test_a_median_takes_flicker_away_and_leaves_what_is_steady(clip):
    rng = np.random.default_rng(0)
    noisy = [Image.fromarray((np.asarray(f) + rng.normal(0, 20, (*SIZE, 3))).clip(0, 255).astype(np.uint8))
             for f in clip.frames]  # fmt: skip
    floor, before, after = (video.warping_error(f, clip) for f in (clip.frames, noisy, video.median(noisy, clip)))
    assert after - floor < 0.5 * (before - floor)
    flat = [Image.new("RGB", SIZE[::-1], "teal")] * 4
    assert all(np.array_equal(a, b) for a, b in zip(video.median(flat, clip), flat, strict=True))


def test_blur_and_freezing_cheat_the_warping_error_alone():
    clip = video.moving("a man in the garden", "walk", 4)
    rng = np.random.default_rng(0)
    frames = [Image.fromarray((np.asarray(f) + rng.normal(0, 20, (256, 256, 3))).clip(0, 255).astype(np.uint8))
              for f in clip.frames]  # fmt: skip
    plain, blurred = (video.measure(f, clip) for f in (frames, video.blurred(frames)))
    assert blurred["warping error"] < 0.5 * plain["warping error"] and blurred["sharpness"] < 0.5 * plain["sharpness"]
    assert "adherence" in video.measure(frames[:1] * 4, clip, "canny") and "adherence" not in plain


# The ladder


def painted(pipe, clip, rung, **more):
    config = video.FilmConfig(**{"num_inference_steps": 2, "strength": 0.5} | more)
    return [*video.paint(pipe, clip, clip.maps("depth"), "a red car", rung, config)]


@pytest.mark.parametrize("rung", video.RUNGS)
def test_every_rung_paints_every_frame_and_leaves_no_trace(pipe, clip, rung):
    before = dict(pipe.unet.attn_processors)
    frames = painted(pipe, clip, rung)
    assert len(frames) == 4 and {frame.size for frame in frames} == {SIZE[::-1]}
    assert all(pipe.unet.attn_processors[name] is each for name, each in before.items())
    assert all(np.array_equal(a, b) for a, b in zip(frames, painted(pipe, clip, rung), strict=True))


def test_the_first_frame_is_the_same_on_all_rungs_that_share_its_noise(pipe, clip):
    plain, *others = (painted(pipe, clip, rung)[0] for rung in ("same noise", "first", "warped latents", "alone"))
    assert all(np.abs(np.asarray(plain, int) - np.asarray(other, int)).max() <= 1 for other in others)


def test_chunks_bound_the_batch_and_change_nothing_for_the_first(pipe, clip):
    whole, parts = painted(pipe, clip, "first"), painted(pipe, clip, "first", chunk=3)
    assert all(np.abs(np.asarray(a, int) - np.asarray(b, int)).max() <= 1 for a, b in zip(whole, parts, strict=True))


def test_each_half_of_guidance_looks_into_itself(pipe):
    """With one frame nothing changes; with two equal ones neither, for the halves never mix."""
    noise = torch.randn(1, pipe.unet.config.in_channels, 4, 6, generator=torch.Generator().manual_seed(0))
    half = torch.randn(2, 32, pipe.unet.config.cross_attention_dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        plain = pipe.unet(noise.expand(4, -1, -1, -1), 500, half.repeat_interleave(2, 0)).sample
        for mode in ("first", "first and previous", "all"):
            with video.cross_frame(pipe, mode, 2):
                inside = pipe.unet(noise.expand(4, -1, -1, -1), 500, half.repeat_interleave(2, 0)).sample
            assert torch.allclose(inside, plain, atol=1e-4), mode
    with pytest.raises(ValueError, match="first and previous"), video.cross_frame(pipe, "last", 2):
        pass


@pytest.mark.parametrize(("rung", "finished"), [("alone", 2), ("warped, then median", 1)])
def test_whoever_stops_keeps_the_finished_frames(pipe, clip, rung, finished):
    """A median over time gives a frame as soon as the frames that count for it are there."""
    steps = []

    def on_step():
        steps.append(1)
        if len(steps) > 5:
            raise InterruptedError

    kept = []
    with pytest.raises(InterruptedError):
        for frame in video.paint(pipe, clip, clip.maps("depth"), "a car", rung,
                                 video.FilmConfig(num_inference_steps=2, radius=1), on_step):  # fmt: skip
            kept.append(frame)
    assert len(kept) == finished


def test_a_rung_or_maps_that_do_not_fit_say_so(pipe, clip):
    with pytest.raises(ValueError, match="'alone'"):
        next(video.paint(pipe, clip, clip.maps("depth"), "a car", "glue"))
    with pytest.raises(ValueError, match="each frame needs its own"):
        next(video.paint(pipe, clip, clip.maps("depth")[:2], "a car", "alone"))
    with pytest.raises(ValueError, match="chunk=2"):
        painted(pipe, clip, "first", chunk=2)


def test_the_catalogue_gives_img2img_with_control_on_the_same_parts(both_kinds, clip):
    pipe, steered = both_kinds
    assert type(steered).__name__ == "StableDiffusionControlNetImg2ImgPipeline" and steered.unet is pipe.unet
    image = steered("a car", image=clip.frames[0], control_image=clip.maps("depth")[0], strength=0.5,
                    num_inference_steps=4, generator=torch.Generator().manual_seed(0)).images[0]  # fmt: skip
    assert image.size == SIZE[::-1]
    with pytest.raises(ValueError, match="controlnet_img2img.*needs control"):
        catalog.load("controlnet_img2img", "clay")


def test_a_median_that_comes_frame_by_frame_is_the_same(pipe, clip):
    config = video.FilmConfig(num_inference_steps=2, radius=1)
    maps = clip.maps("depth")
    whole = video.median(list(video.paint(pipe, clip, maps, "a car", "all", config)), clip, 1)
    flowing = video.paint(pipe, clip, maps, "a car", "all, then median", config)
    assert all(np.array_equal(a, b) for a, b in zip(whole, flowing, strict=True))
