"""Which test defends which requirement, read from the source of the tests without importing it."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from devkit.specs.problems import Problem

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Mark:
    """One id in one `pytest.mark.spec(…)`, and the tests (`path::name`) it stands on."""

    id: str
    path: str
    line: int
    tests: tuple[str, ...]


def read_marks(root: Path, files: Iterable[Path]) -> tuple[list[Mark], list[Problem]]:
    """Return every mark that stands on a test, and a problem for every mark that does not."""
    marks: list[Mark] = []
    problems: list[Problem] = []
    for file in files:
        path = file.relative_to(root).as_posix()
        tree = ast.parse(file.read_text(encoding="utf-8"), filename=path)
        marked = _marked_tests(tree)
        for call in _spec_marks(ast.walk(tree)):
            ids = _literal_ids(call)
            tests = tuple(f"{path}::{name}" for name in marked.get(call, ()))
            marks += [Mark(id_, path, call.lineno, tests) for id_ in ids if tests]
            if not ids:
                problems.append(Problem(path, call.lineno, "a spec mark takes literal ids"))
            elif not tests:
                message = "a spec mark that is on no test that runs"
                problems.append(Problem(path, call.lineno, message))
    return marks, problems


def _marked_tests(tree: ast.Module) -> dict[ast.Call, list[str]]:
    constants = dict(_assignments(tree.body))
    marked: dict[ast.Call, list[str]] = {}
    for test, applied in _tests(tree.body, []):
        # A test that never runs defends nothing.
        if not any(_mark_name(expression) == "skip" for expression in applied):
            for expression in applied:
                for call in _spec_marks(_marks_in(expression, constants)):
                    marked.setdefault(call, []).append(test)
    return marked


def _tests(
    body: list[ast.stmt], inherited: list[ast.expr], prefix: str = ""
) -> Iterator[tuple[str, list[ast.expr]]]:
    """Yield each test pytest would collect by its default names, with all that is applied to it."""
    shared = [value for name, value in _assignments(body) if name == "pytestmark"]
    inherited = [*inherited, *(mark for value in shared for mark in _elements(value))]
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            applied = [*inherited, *node.decorator_list]
            yield from _tests(node.body, applied, f"{prefix}{node.name}::")
        elif isinstance(node, _FUNCTIONS) and node.name.startswith("test"):
            yield f"{prefix}{node.name}", [*inherited, *node.decorator_list]


def _assignments(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _marks_in(expression: ast.expr, constants: Mapping[str, ast.expr]) -> Iterator[ast.AST]:
    """Yield the mark itself, or those of the `pytest.param`s it is parametrised with."""
    if _mark_name(expression) != "parametrize":
        yield expression
        return
    inline = list(ast.walk(expression))
    named = [
        constants[node.id] for node in inline if isinstance(node, ast.Name) and node.id in constants
    ]
    for node in [*inline, *(inner for value in named for inner in ast.walk(value))]:
        if isinstance(node, ast.Call) and _last_name(node.func) == "param":
            for keyword in node.keywords:
                if keyword.arg == "marks":
                    yield from _elements(keyword.value)


def _spec_marks(nodes: Iterable[ast.AST]) -> Iterator[ast.Call]:
    for node in nodes:
        if isinstance(node, ast.Call) and _mark_name(node) == "spec":
            yield node


def _literal_ids(call: ast.Call) -> list[str]:
    values = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    ids = [value for value in values if isinstance(value, str)]
    return ids if len(ids) == len(call.args) and not call.keywords else []


def _elements(expression: ast.expr) -> list[ast.expr]:
    return expression.elts if isinstance(expression, ast.List | ast.Tuple) else [expression]


def _mark_name(expression: ast.expr) -> str | None:
    """Return `x` of `pytest.mark.x`, `mark.x` and their calls."""
    named = expression.func if isinstance(expression, ast.Call) else expression
    if isinstance(named, ast.Attribute) and _last_name(named.value) == "mark":
        return named.attr
    return None


def _last_name(expression: ast.expr) -> str | None:
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else None
