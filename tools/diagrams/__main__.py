"""Draw all diagrams: `python -m tools.diagrams`."""

from __future__ import annotations

from course_utils import env

from . import attention, control, course, model, shapes

LANES = {name: shapes.of(name) for name in env.LANES}


def drawn() -> dict[str, str]:
    """Return all diagrams: file name to SVG."""
    of_lanes = {
        "pipeline": model.pipeline, "unet": model.unet, "depth": control.depth, "controlnet": control.controlnet,
        "lora": control.lora,
    }  # fmt: skip
    made = {f"{name}-{lane}": draw(LANES[lane]) for name, draw in of_lanes.items() for lane in LANES}
    made |= {"attention": attention.table(), "excite": attention.excite_step(), "map": course.course_map()}
    return {f"{name}.svg": canvas.svg() for name, canvas in made.items()}


def main() -> None:
    """Write them."""
    folder = env.ASSETS / "diagrams"
    folder.mkdir(exist_ok=True)
    for name, svg in drawn().items():
        (folder / name).write_text(svg, encoding="utf-8")
        print(f"{name}: {len(svg.encode()) / 1e3:.1f} kB")


if __name__ == "__main__":
    main()
