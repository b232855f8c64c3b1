"""All the checks together: specs are approved, code follows them, tests defend them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from devkit.specs.approvals import approval_problems, read_lock
from devkit.specs.contracts import Contract, code_problems, planned_problems
from devkit.specs.documents import Document, read_documents
from devkit.specs.marks import Mark, read_marks
from devkit.specs.openapi import OpenApiContract
from devkit.specs.problems import Problem, SpecFormatError
from devkit.specs.project import Project
from devkit.specs.requirements import (
    Requirement,
    form_problems,
    is_features,
    parse_requirements,
    tracing_problems,
)
from devkit.specs.tables import TablesContract


@dataclass(frozen=True)
class Specs:
    """A project's specs as read, with what is wrong with their form, code and approval aside."""

    documents: list[Document]
    requirements: list[Requirement]
    problems: list[Problem]


@dataclass(frozen=True)
class Report:
    """What a check found, and one line on how much it looked at."""

    problems: list[Problem]
    summary: str


def contracts(project: Project) -> dict[str, Contract]:
    """Return the specs that describe code, by path."""
    apis = [
        OpenApiContract(f"specs/api/{name}.yaml", load) for name, load in project.openapi.items()
    ]
    databases = [
        TablesContract(f"specs/database/{name}.yaml", load) for name, load in project.tables.items()
    ]
    return {contract.path: contract for contract in (*apis, *databases)}


def read_specs(project: Project) -> Specs:
    """Read every spec and check its form."""
    described = contracts(project)
    documents, problems = read_documents(project.root, project.spec_files())
    parsed = [item for each in documents if is_features(each) for item in parse_requirements(each)]
    requirements = [item for item in parsed if isinstance(item, Requirement)]
    problems += [item for item in parsed if isinstance(item, Problem)]
    for document in documents:
        if is_features(document):
            problems += form_problems(document, requirements)
        else:
            problems += _contract_form(described.get(document.path), document)
    return Specs(documents, requirements, problems)


def check(project: Project, *, allow_drafts: bool = False) -> Report:
    """Run every check; a draft demands nothing of code and tests, but is itself a problem."""
    specs, described = read_specs(project), contracts(project)
    marks, problems = read_marks(project.root, project.test_files())
    paths, lock = project.spec_files(), read_lock(project.root)
    sound = {document.path: document for document in specs.documents}
    for problem in specs.problems:
        sound.pop(problem.path, None)
    found = chain(
        specs.problems,
        problems,
        approval_problems(specs.documents, paths, lock, allow_drafts=allow_drafts),
        tracing_problems(specs.documents, specs.requirements, marks),
        _undescribed(described, paths),
        *(
            code_problems(described[path], document)
            for path, document in sound.items()
            if path in described and document.approved
        ),
    )
    return Report(sorted(set(found)), _summary(specs, sound, described, marks))


def _contract_form(contract: Contract | None, document: Document) -> Iterator[Problem]:
    if contract is None:
        yield Problem(document.path, 1, "describes nothing this project has")
        return
    try:
        yield from planned_problems(contract, document, contract.read(document).data)
    except SpecFormatError as error:
        yield Problem(document.path, error.line, error.message)


def _undescribed(described: dict[str, Contract], paths: list[str]) -> Iterator[Problem]:
    for path in described.keys() - set(paths):
        yield Problem(path, 1, "there is no such spec: propose one")


def _summary(
    specs: Specs, sound: dict[str, Document], described: dict[str, Contract], marks: list[Mark]
) -> str:
    tests = {test for mark in marks for test in mark.tests}
    entries = {OpenApiContract: 0, TablesContract: 0}
    for path, contract in described.items():
        if path in sound:
            entries[type(contract)] += len(contract.entries(contract.read(sound[path]).data))
    return (
        f"specs: {len(specs.documents)} files, {len(specs.requirements)} requirements, "
        f"{len(tests)} tests marked, {entries[OpenApiContract]} operations, "
        f"{entries[TablesContract]} tables"
    )
