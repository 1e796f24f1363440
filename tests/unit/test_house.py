"""The rules of the house: sizes, directions of import, what must not be said, files that must agree."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest

from course_utils import __version__, doctor, env

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "course_utils").rglob("*.py"))
# A room imports from itself and from what stands before it. A new room takes its place in this list.
FLOORS = [
    "env", "validation", "clay", "training", "objectives", "metrics", "catalog", "doctor", "pictures", "judge",
    "adherence", "controls", "pose", "editing", "attention", "excite", "controlnet", "personalize", "video", "plots",
    "results", "checks", "widgets", "recipe",
]  # fmt: skip
MAX_MODULE, MAX_FUNCTION, MAX_KERNEL = 300, 40, 70  # lines; a compiled kernel is one piece, its docstring not counted
FORBIDDEN = {
    r"\.cuda\(": "pass the device on",
    r"trust_remote_code\s*=\s*True": "no code from a hub",
    r"manual_seed_all|\btorch\.manual_seed\(|np\.random\.seed\(|random\.seed\(": "no global seed: pass a generator",
    r"/(?:root|home|Users|work)/": "a path of one machine",
    r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b|localhost": "a host of one machine",
}


def name(path):
    return path.relative_to(ROOT).as_posix()


def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_module_is_short_and_says_what_it_is(path):
    text = path.read_text()
    assert text.count("\n") <= MAX_MODULE, f"{name(path)} has {text.count(chr(10))} lines: split it."
    assert ast.get_docstring(ast.parse(text)) or not text.strip()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_functions_are_short(path):
    long = [
        f"{node.name}: {length}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := body_lines(node)) > (MAX_KERNEL if compiled(node) else MAX_FUNCTION)
    ]
    assert not long, f"{name(path)} has functions that are too long: {long}"


def body_lines(node):
    has_docstring = ast.get_docstring(node) is not None
    docstring = node.body[0].end_lineno - node.body[0].lineno + 1 if has_docstring else 0
    return node.end_lineno - node.lineno + 1 - docstring


def compiled(node):
    return any("njit" in ast.unparse(decorator) for decorator in node.decorator_list)


def room(module):
    """Return the room of a dotted module name inside the package."""
    return module.split(".")[0]


def imported(path):
    """Yield the dotted names inside the package that a module imports, at its top or inside functions."""
    package = path.relative_to(ROOT / "course_utils").with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
            yield from (module.removeprefix("course_utils.") for module in names if module.startswith("course_utils."))
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = (*package[: len(package) - node.level + 1], *(node.module or "").split("."))
            elif (node.module or "").split(".")[0] == "course_utils":
                base = node.module.split(".")[1:]
            else:
                continue
            base = ".".join(filter(None, base))
            names = (alias.name for alias in node.names if alias.name != "__version__")
            yield from (f"{base}.{one}".strip(".") for one in names)


@pytest.mark.parametrize("path", [path for path in MODULES if name(path) != "course_utils/__init__.py"], ids=name)
def test_rooms_import_downwards_only(path):
    own = room(".".join(path.relative_to(ROOT / "course_utils").with_suffix("").parts))
    assert own in FLOORS, f"{own} is a new room: give it a place in FLOORS."
    for module in imported(path):
        other = room(module)
        assert other in FLOORS, f"{name(path)} imports {module}, which is no room."
        assert FLOORS.index(other) <= FLOORS.index(own), f"{name(path)} imports {other}."


def test_no_module_imports_itself_through_others():
    """Imports inside functions count: what must be imported late is often a circle."""
    parts = {path: path.relative_to(ROOT / "course_utils").with_suffix("").parts for path in MODULES}
    modules = {".".join(part for part in parts[path] if part != "__init__"): path for path in MODULES}
    needs = {
        module: {target(imports, modules) for imports in imported(path)} - {module, ""}
        for module, path in modules.items()
    }
    while free := [module for module, others in needs.items() if not others & needs.keys()]:
        needs = {module: others for module, others in needs.items() if module not in free}
    assert not needs, f"circles among, or on the way to, {needs}"


def target(name, modules):
    """Return the module that a dotted name is, or stands in."""
    while name not in modules:
        name = name.rpartition(".")[0]
    return name


def test_a_class_name_exists_once():
    found = {}
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(name(path))
    assert not {named: paths for named, paths in found.items() if len(paths) > 1}


def test_imported_names_are_resolved():
    assert not set(imported(ROOT / "course_utils/env.py"))
    assert set(imported(ROOT / "course_utils/doctor.py")) == {"env", "catalog.files.manifest", "catalog.files.unlike"}


def test_the_map_of_rooms_is_that_of_the_code():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = text.split("## The rooms")[1].split("## ")[0].splitlines()
    rooms = [room for row in rows if row.startswith("| `") for room in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert rooms == FLOORS


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_nothing_forbidden(path):
    text = path.read_text()
    if "recipe" in path.parts:  # each stage is a process of its own, and weights are drawn from the global generator
        text = text.replace("torch.manual_seed(", "")
    found = {pattern: why for pattern, why in FORBIDDEN.items() if re.search(pattern, text)}
    assert not found, f"{name(path)}: {found}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_prints_only_where_it_is_the_job(path):
    module = path.relative_to(ROOT / "course_utils")
    if module.parts[0] in ("env.py", "doctor.py", "checks.py", "checks") or "recipe" in module.parts:
        return
    calls = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not calls, f"{name(path)} prints in lines {calls}."


def test_doctor_and_pyproject_name_the_same_ranges():
    ranges = dict(re.match(r"([\w-]+)(.*)", line).groups() for line in pyproject()["project"]["dependencies"])
    assert {package: ranges.get(package) for package in env.SUPPORTED} == env.SUPPORTED
    assert pyproject()["project"]["requires-python"] == ">=" + ".".join(map(str, doctor.PYTHON))


def test_the_setup_cell_brings_what_pyproject_calls_annotators():
    lines = pyproject()["project"]["optional-dependencies"]["annotators"]
    extra = dict(re.match(r"([\w-]+)(.*)", line).groups() for line in lines)
    assert extra.pop("torchvision"), "comes with torch, and is never moved"
    assert extra == doctor.DETECTORS


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-cpu.lock", "requirements-colab.lock"])
def test_ranges_admit_the_lock(lock):
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = [line for line in (ROOT / lock).read_text().splitlines() if line and not line.startswith(("#", "--"))]
    pins = {canonicalize_name(pin.name): pin.specifier for pin in map(Requirement, lines)}
    assert all(len(specifier) == 1 and next(iter(specifier)).operator == "==" for specifier in pins.values())
    project = pyproject()["project"]
    extras = ["annotators"] if lock == "requirements-colab.lock" else ["annotators", "lab", "test"]
    wanted_lines = sum((project["optional-dependencies"][extra] for extra in extras), project["dependencies"])
    for wanted in map(Requirement, wanted_lines):
        pin = next(iter(pins[canonicalize_name(wanted.name)]))
        assert wanted.specifier.contains(pin.version), f"{lock} pins {pin}, pyproject wants {wanted}"


def test_no_mediapipe():
    everything = "".join((ROOT / file).read_text() for file in ("requirements.lock", "requirements-colab.lock"))
    project = pyproject()["project"]
    wanted = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    assert "mediapipe" not in everything and not any("mediapipe" in line for line in wanted)


def test_environment_agrees_with_pyproject():
    import yaml

    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    project = pyproject()["project"]
    (pip,) = (entry["pip"] for entry in dependencies if isinstance(entry, dict))
    assert dependencies[:2] == [f"python{project['requires-python']}", "pip"] and len(dependencies) == 3
    (line,) = pip
    extras = re.fullmatch(r"-e \.\[([\w,]+)\]", line)[1].split(",")
    assert set(extras) <= set(project["optional-dependencies"])


def test_versions_agree():
    latest, *_ = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    tags = set(re.findall(r"/blob/([^/]+)/|--branch (\S+)", (ROOT / "README.md").read_text()))
    assert latest == __version__ and {"".join(tag) for tag in tags} == {f"v{__version__}"}
    assert pyproject()["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "course_utils.__version__"}


def test_assets_are_listed_and_small():
    from tools.assets import manifest

    listed = json.loads((ROOT / "assets/manifest.json").read_text())["files"]
    assert manifest(ROOT / "assets") == listed, "assets/ changed: run `python -m tools.assets`."
    assert not [path for path, entry in listed.items() if entry["bytes"] > 45e6]
    page = (ROOT / "assets/README.md").read_text()
    assert all(f"`{path}`" in page and entry["sha256"] in page for path, entry in listed.items())
