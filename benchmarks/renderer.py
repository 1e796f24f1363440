"""How long a scene takes: `python benchmarks/renderer.py`. Medians of one run; 256 pixels, all truth."""

import statistics
import time

from course_utils import clay

SCENES = 40


def main() -> None:
    """Render SCENES scenes and print the medians."""
    scenes = [clay.scene(31, index) for index in range(SCENES)]
    clay.render(scenes[0])  # compiles
    took = {"render": [], "compose and draw the scene": []}
    for index, scene in enumerate(scenes):
        began = time.perf_counter()
        clay.render(scene)
        took["render"].append(time.perf_counter() - began)
        began = time.perf_counter()
        clay.scene(32, index)
        took["compose and draw the scene"].append(time.perf_counter() - began)
    for name, seconds in took.items():
        print(f"{name}: median {statistics.median(seconds) * 1e3:.0f} ms, slowest {max(seconds) * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
