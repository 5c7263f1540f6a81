"""Small faults planted in each solution: the checks must refuse them.

Each solution is changed in one place (a number, an operator, a comparison, an axis,
a type, a name, a line left out), run, and given to its check.

Run: python -m pytest tests/test_mutants.py -s     (-s lists the mutants that passed)
"""

import ast
import copy
from pathlib import Path

import nbformat
import pytest

from tagkit.checks import check, engine

NOTEBOOKS = sorted((Path(__file__).parents[1] / "solutions").glob("[0-9]*.ipynb"))

OTHER = {
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.GtE: ast.Gt, ast.Gt: ast.GtE},
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.In: ast.NotIn, ast.NotIn: ast.In},
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult},
}
EITHER_WAY = (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr)  # a + b is b + a
NAMES = {
    **{"max": "min", "min": "max", "sum": "max", "mean": "sum", "float": "'uint8'"},
    **{"either": "both", "both": "either", "train": "valid", "test": "train"},
    **{"artist": "album", "groups": "split", "given": "true", "true": "given"},
    **{"any": "all", "all": "any", "values": "both", "unique": "value_counts"},
    **{"eval": "train", "log10": "log", "ELU": "ReLU", "tanh": "sigmoid"},
}


def changes(node):
    """Functions that each change a copy of one node of a syntax tree in one way."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER:
        yield lambda new: new.ops.__setitem__(0, OTHER[type(new.ops[0])]())
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OTHER:
        yield lambda new: setattr(new, "op", OTHER[type(new.op)]())
    if isinstance(node, ast.BinOp) and not isinstance(node.op, EITHER_WAY):
        yield lambda new: new.__dict__.update(left=node.right, right=node.left)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        for other in {node.value + 1, node.value - 1, -node.value} - {node.value}:
            yield lambda new, other=other: setattr(new, "value", other)
    for field in ("id", "attr", "value"):
        word = getattr(node, field, None)
        if isinstance(word, str) and word in NAMES:
            yield lambda new, f=field, w=word: setattr(new, f, NAMES[w])
    for field in ("lower", "upper"):
        if isinstance(node, ast.Slice) and getattr(node, field):
            yield lambda new, f=field: setattr(new, f, None)
    if isinstance(node, ast.If):
        for always in (True, False):
            yield lambda new, a=always: setattr(new, "test", ast.Constant(a))
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        yield lambda new: new.value.elts.reverse()
    if isinstance(node, ast.Call):
        for at in range(len(node.keywords)):
            yield lambda new, at=at: new.keywords.pop(at)
    if isinstance(node, ast.FunctionDef | ast.For | ast.If):
        for at, line in enumerate(node.body):
            call = isinstance(line, ast.Expr) and isinstance(line.value, ast.Call)
            if call or isinstance(line, ast.Assign | ast.AugAssign):
                yield lambda new, at=at: new.body.__setitem__(at, ast.Pass())


def mutants(source):
    """Sources that differ from the given one in one place, without doubles."""
    tree, seen = ast.parse(source), {ast.unparse(ast.parse(source))}
    for place, node in enumerate(ast.walk(tree)):
        for change in changes(node):
            mutant = copy.deepcopy(tree)
            change(list(ast.walk(mutant))[place])
            text = ast.unparse(ast.fix_missing_locations(mutant))
            if text not in seen:
                seen.add(text)
                yield text


def difference(source, mutant):
    lines = ast.unparse(ast.parse(source)).splitlines()
    return [line.strip() for line in mutant.splitlines() if line not in lines]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_checks_refuse_planted_faults(path, mini, capsys, monkeypatch):
    monkeypatch.setattr(engine, "LIMIT", 3)
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    names: dict = {"display": print}
    pending, passed, n_mutants = [], [], 0
    for cell in code:
        exec(cell.source, names)
        is_solution = cell.metadata.get("nbgrader", {}).get("solution")
        trains = "nbval-ignore-output" in cell.metadata.get("tags", [])
        if is_solution and "def " in cell.source and not trains:
            pending.append(cell.source[: cell.source.rindex("### END SOLUTION")])
        if not cell.id.startswith("check-"):
            continue
        call = ast.parse(cell.source).body[0].value
        task, answer = call.args[0].value, ast.unparse(call.args[1])
        given = {k.arg: eval(ast.unparse(k.value), names) for k in call.keywords}
        for source in pending:
            for mutant in mutants(source):
                changed = dict(names)
                exec(mutant, changed)
                n_mutants += 1
                if check(task, eval(answer, changed), **given):
                    passed.append(f"  {task} {difference(source, mutant)}")
        pending = []
    refused = n_mutants - len(passed)
    with capsys.disabled():
        print(f"\n{path.stem}: {refused} of {n_mutants} mutants refused. Passed:")
        print("\n".join(passed))
    # Those that passed are as right as the solution, by the text of the task.
    assert refused / n_mutants > 0.9
