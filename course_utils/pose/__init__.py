"""People as points: skeletons drawn, corrected, read and written as files, taken from pictures; and the doll."""

from .doll import LENS, lift, scene_of, state_of
from .figures import GESTURES, figure, hold, skeletons, to_scene
from .files import PoseFile, read, write
from .library import library
from .skeleton import JOINTS, Skeleton, apart, draw, from_picture
