"""The command line: `python -m devkit.specs [check|approve|propose|requirements]`."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from devkit.specs import approvals
from devkit.specs.check import check, contracts, read_specs
from devkit.specs.contracts import proposal
from devkit.specs.documents import read_document
from devkit.specs.marks import read_marks
from devkit.specs.openapi import OpenApiContract
from devkit.specs.problems import Problem, SpecFormatError
from devkit.specs.project import MissingCodeError, Project, taskgate
from devkit.specs.requirements import tests_by_id


def main(argv: Sequence[str] | None = None, project: Project | None = None) -> int:
    """Run one command on the project in the working directory; return the exit status."""
    arguments = _parser().parse_args(argv)
    project = project or taskgate(Path.cwd())
    match arguments.command:
        case "approve":
            return _approve(project, arguments.by, arguments.paths)
        case "propose":
            return _propose(project, arguments.what)
        case "requirements":
            return _requirements(project)
    return _check(project, allow_drafts=arguments.allow_drafts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devkit.specs", description=__doc__)
    parser.set_defaults(allow_drafts=False)
    commands = parser.add_subparsers(dest="command")
    checking = commands.add_parser("check", help="say where code and approved specs part")
    checking.add_argument("--allow-drafts", action="store_true")
    approving = commands.add_parser("approve", help="sign specs as they stand")
    approving.add_argument("--by", required=True, metavar="NAME", type=_name)
    approving.add_argument("paths", nargs="*", metavar="PATH", help="default: all that need it")
    proposing = commands.add_parser("propose", help="write the code's contract as a draft")
    proposing.add_argument("what", choices=["api", "database", "all"])
    commands.add_parser("requirements", help="list what is promised and which tests defend it")
    return parser


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("somebody has to approve")
    return text.strip()


def _check(project: Project, *, allow_drafts: bool) -> int:
    report = check(project, allow_drafts=allow_drafts)
    _print_problems(report.problems)
    print(f"{report.summary}; {len(report.problems)} problems")
    return 1 if report.problems else 0


def _approve(project: Project, by: str, paths: list[str]) -> int:
    specs, lock = read_specs(project), approvals.read_lock(project.root)
    gone = lock.keys() - set(project.spec_files())
    known = set(project.spec_files()) | gone
    if unknown := sorted(set(paths) - known):
        _print_problems([Problem(path, 1, "there is no such spec") for path in unknown])
        return 1
    unlocked = {each.path for each in specs.documents if not approvals.is_locked(each, lock)}
    chosen = set(paths) or unlocked | gone | {problem.path for problem in specs.problems}
    if refused := [problem for problem in specs.problems if problem.path in chosen]:
        _print_problems(refused)
        return 1
    documents = [document for document in specs.documents if document.path in chosen]
    approvals.approve(project.root, documents, by, datetime.now(UTC).date())
    approvals.forget(project.root, sorted(gone & chosen))
    for path in sorted(chosen):
        print(f"{path}: {'taken off the lock' if path in gone else f'approved by {by}'}")
    return 0


def _propose(project: Project, what: str) -> int:
    status = 0
    for path, contract in contracts(project).items():
        if what != "all" and isinstance(contract, OpenApiContract) != (what == "api"):
            continue
        file = project.root / path
        try:
            current = read_document(project.root, path) if file.exists() else None
            proposed = proposal(contract, current)
        except SpecFormatError as error:
            _print_problems([Problem(path, error.line, error.message)])
            status = 1
        except MissingCodeError as error:
            _print_problems([Problem(path, 1, str(error))])
            status = 1
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(proposed.text, encoding="utf-8")
            print(f"{path}: {proposed.header['status']}")
    return status


def _requirements(project: Project) -> int:
    tests = tests_by_id(read_marks(project.root, project.test_files())[0])
    for item in read_specs(project).requirements:
        print(f"{item.id}  {item.text}{'  (planned)' if item.planned else ''}")
        for test in tests.get(item.id, []):
            print(f"    {test}")
    return 0


def _print_problems(problems: Sequence[Problem]) -> None:
    for problem in problems:
        print(problem, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
