"""Small faults planted in each solution: the checks must refuse them.

Each solution is changed in one place (a number, an operator, a comparison, an axis,
a type, a name, a line left out), run, and given to its check. Of the mutants that give
another result than the solution, 95 % must be refused.

Run: python -m pytest tests/test_mutants.py -s     (-s lists the mutants that passed)
"""

import ast
import copy
import dis
import types
from pathlib import Path

import nbformat
import pytest

from tagkit.checks import check

NOTEBOOKS = sorted((Path(__file__).parents[1] / "solutions").glob("*.ipynb"))

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

# Changes after which a solution is as right as before, by the text of its task: found
# by reading what passed.
AS_RIGHT = {
    "1.1": ["')[1:] for line in lines]"],  # a path is no "1"
    "1.2": [
        "out=given)",
        "where=n_clips >= 0",
        "where=n_clips > -1",
    ],  # such a row may be nan
    "1.5": [
        *("fromkeys(shares, 1)", "fromkeys(shares, -1)"),  # one clip more or less
        *("1 / 15", "1 / 17", "3 / 15", "3 / 17"),  # within 0.03
    ],
    "2.1": ["n = n + sizes[0] + sizes[-1]", "n = n // sizes[-1]"],  # the same one
    "2.2": ["(samples.shape[-1] - length)"],  # the same axis
    "2.4": [
        *("10000.0 / torch", "-10000.0", "10001.0", "9999.0"),  # as large
        *("randn(99,", "randn(101,"),  # enough of them
    ],
    "2.5": ["rate), 5)", "rate), 7)"],  # one digit more or less
    "3.2": [
        "n_fft) - 0.5",
        "np.cos(-2",
    ],  # the cosine is even; a sign is lost in the power
    "3.4": ["timbre.amax(dim=-2)"],  # the same axis
    "4.3": ["zip(channels, pools)", "squeeze(-2)"],  # equally long; the same axis
    "4.4": [
        ">= 0.0001",
        "(alone - together)",
    ],  # a difference of exactly 0.0001; the sign before abs
    "4.5": ["nn.Linear(n, 1)", "softmax(dim=-1)"],  # a softmax forgets a bias
    "5.3": ["loss.sum(axis=1)"],  # the same order
    "5.5": [
        "yes.sum(), 0)",
        "yes.sum(), 2)",
        "yes.sum(), -1)",
    ],  # the limit only keeps 0 / 0 away
    "5.6": ["np.random.default_rng(1)"],  # any seed
    "6.1": ["np.linalg.norm(vectors, axis=-1"],  # the same axis
    "6.3": ["zip(relevant, found)"],  # equally long
    "6.6": ["zip(own, drawn)"],  # equally long
    "7.2": ["threading.Thread(target=work).start()"],  # it ends all the same
    "7.4": ["zip(samples.split(n_most), labels.split(n_most))"],  # equally long
    "7.5": ["torch.load(io.BytesIO(disk.read('last.pt')))"],  # the default
    "8.3": ["shape[-1]", "max_iter=499", "max_iter=501"],  # the same axis; enough
    "8.4": [
        *("normalize(a)", "normalize(b)"),  # the default
        *("normalize(a, dim=-1)", "normalize(b, dim=-1)"),  # the same axis
    ],
    # The first score is below the goal, and the first rise counts.
    "8.5": ["range(0, len(sizes))", "<= goal <="],
    "M.4": ["power.shape[-1]"],  # the same axis
    "M.10": ["scores = 2 /", "scores.sum(axis=1)"],  # twice the score, the same order
}


def changes(node, inside):
    """Functions that each change a copy of one node of a syntax tree in one way.

    Only lines of the solution are changed, `inside`: the rest is not the learner's.
    """
    if isinstance(node, ast.FunctionDef | ast.For | ast.If):
        for at, line in enumerate(node.body):
            call = isinstance(line, ast.Expr) and isinstance(line.value, ast.Call)
            if line.lineno in inside and (
                call or isinstance(line, ast.Assign | ast.AugAssign)
            ):
                yield lambda new, at=at: new.body.__setitem__(at, ast.Pass())
    if getattr(node, "lineno", None) not in inside:
        return
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


def mutants(source):
    """Sources that differ from the given one in one place, without doubles."""
    tree, seen = ast.parse(source), {ast.unparse(ast.parse(source))}
    inside, marked = set(), False
    for number, line in enumerate(source.splitlines(), start=1):
        marked = (marked or "BEGIN SOLUTION" in line) and "END SOLUTION" not in line
        inside |= {number} if marked else set()
    for place, node in enumerate(ast.walk(tree)):
        for change in changes(node, inside):
            mutant = copy.deepcopy(tree)
            change(list(ast.walk(mutant))[place])
            text = ast.unparse(ast.fix_missing_locations(mutant))
            if text not in seen:
                seen.add(text)
                yield text


def names_in(code, *kinds):
    """The names of a notebook that code loads or stores, also in its functions."""
    found = {i.argval for i in dis.get_instructions(code) if i.opname in kinds}
    inner = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return found.union(*(names_in(part, *kinds) for part in inner))


def needed(path):
    """The solutions and checks of a notebook, and the cells that make their names."""
    cells, names = [], set()
    for cell in reversed(nbformat.read(path, as_version=4).cells):
        if cell.cell_type != "code":
            continue
        code = compile(cell.source, cell.id, "exec")
        made = names_in(code, "STORE_NAME")
        is_solution = cell.metadata.get("nbgrader", {}).get("solution")
        if is_solution or cell.id.startswith("check-") or made & names:
            cells.append(cell)
            names = names - made | names_in(code, "LOAD_NAME", "LOAD_GLOBAL")
    return cells[::-1]


def difference(source, mutant):
    lines = ast.unparse(ast.parse(source)).splitlines()
    return [line.strip() for line in mutant.splitlines() if line not in lines]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_checks_refuse_planted_faults(path, mini, capsys):
    names: dict = {"display": print}
    pending, passed, n_mutants, n_as_right = [], [], 0, 0
    for cell in needed(path):
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
                    lines = str(difference(source, mutant))
                    n_as_right += any(part in lines for part in AS_RIGHT.get(task, ()))
                    passed.append(f"  {task} {lines}")
        pending = []
    refused = n_mutants - len(passed)
    n_wrong = n_mutants - n_as_right
    with capsys.disabled():
        print(
            f"\n{path.stem}: {n_mutants} mutants, {n_as_right} as right as before; of"
        )
        print(f"the others {refused} of {n_wrong}, {refused / n_wrong:.1%}, refused.")
        print("\n".join(["Passed:", *passed]))
    assert refused / n_wrong >= 0.95
