"""Frame by frame: clips with exact motion, the ladder of cures for flicker, what each is worth, GIF and MP4."""

from .clips import Clip, from_frames, moving, pull, read
from .files import Film, to_gif, to_mp4
from .ladder import RUNGS, FilmConfig, invert, paint
from .measures import blurred, measure, sharpness, through_autoencoder, warping_error
from .noise import carried_noise, smeared_noise, white_noise
from .steady import cross_frame, median
