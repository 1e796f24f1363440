"""An exercise asks for something new: its solution does not stand as code above it."""

import ast
import re

import jupytext
import pytest

from tools import build

SOURCES = build.sources()
LESSONS = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
SOLUTION = re.compile(r"<summary>Solution</summary>.*?```python\n(.*?)```", re.S)
ENOUGH = 0.5  # of a solution's operations: where more stand above it, it is typed again


def is_name(node):
    """Tell whether an expression only names a value, such as `x`, `pair[0].depth` or `3`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant):
            return False
        node = node.value
    return isinstance(node, ast.Name | ast.Constant)


def operations(node):
    """Count what an expression does: its nodes without names, constants and marks of the grammar."""
    if is_name(node):
        return 0
    marks = (ast.expr_context, ast.operator, ast.cmpop, ast.boolop, ast.unaryop, ast.keyword, ast.comprehension)
    return (not isinstance(node, marks)) + sum(map(operations, ast.iter_child_nodes(node)))


def same(above, asked, names):
    """Tell whether code is that above it, where a name above may stand for anything, but always for the same."""
    if isinstance(above, ast.expr) and is_name(above):
        if isinstance(above, ast.Constant):
            return isinstance(asked, ast.Constant)
        return names.setdefault(ast.unparse(above), given := ast.unparse(asked)) == given
    if type(above) is not type(asked):
        return False
    if isinstance(above, ast.Call) and (called(above.func) != called(asked.func)):
        return False
    pairs = list(ast.iter_child_nodes(above)), list(ast.iter_child_nodes(asked))
    return len(pairs[0]) == len(pairs[1]) and all(same(*pair, names) for pair in zip(*pairs, strict=True))


def called(function):
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)


def copied(asked, above):
    """Count the operations of a solution that stand above it, in pieces of three or more."""
    if isinstance(asked, ast.expr) and not is_name(asked):
        pieces = [operations(piece) for piece in above.get(type(asked), ()) if same(piece, asked, {})]
        inner = sum(copied(child, above) for child in ast.iter_child_nodes(asked))
        return max([inner, *pieces])
    return sum(copied(child, above) for child in ast.iter_child_nodes(asked))


def retyped(cells):
    """Yield each solution with the share of its operations that stand in code cells above it."""
    above = {}
    for cell in cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.expr) and operations(node) >= 3:
                    above.setdefault(type(node), []).append(node)
        for solution in SOLUTION.findall(cell.source) if cell.cell_type == "markdown" else ():
            tree = ast.parse(solution)
            yield solution, copied(tree, above) / max(1, sum(map(operations, expressions(tree))))


def expressions(node):
    """Yield the outermost expressions of a tree."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child
        else:
            yield from expressions(child)


@LESSONS
def test_no_solution_stands_above_its_exercise(source):
    cells = build.lesson(source).cells
    found = {solution: f"{share:.0%}" for solution, share in retyped(cells) if share > ENOUGH}
    assert not found, f"the lesson has already written so much of these; ask for something else: {found}"


def test_a_solution_with_other_names_is_found():
    cells = jupytext.reads(
        '# %%\nloss = (1 - peaks.max(axis=1)).mean() * 2\n\n# %% [markdown]\n# <summary>Solution</summary>\n#\n'
        "# ```python\n# def lack(maps):\n#     return (1 - maps[0].max(axis=2)).mean() * 3\n# ```\n", "py:percent"
    ).cells  # fmt: skip
    assert [share for _, share in retyped(cells)] == [1]
    cells[1].source = cells[1].source.replace("mean", "amin")
    assert [share for _, share in retyped(cells)] == [0.6], "the outer part differs now, and `1 - max` is still there"
