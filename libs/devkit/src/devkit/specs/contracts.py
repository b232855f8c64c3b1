"""A spec file that describes code entry by entry, and how the two are held together."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from devkit.specs import yaml_format
from devkit.specs.differences import Difference, Path, differences
from devkit.specs.documents import Document
from devkit.specs.problems import Problem, SpecFormatError
from devkit.specs.project import MissingCodeError

Json = dict[str, Any]


class Contract(ABC):
    """One spec file; its entries (operations, tables) are what `planned` may name."""

    path: str

    @abstractmethod
    def code(self) -> Json:
        """Return the document the code stands for; raises `MissingCodeError`."""

    @abstractmethod
    def entries(self, document: Json) -> AbstractSet[str]:
        """Return the names of what the document describes."""

    @abstractmethod
    def without(self, document: Json, names: AbstractSet[str]) -> Json:
        """Return the document as if it did not describe those."""

    @abstractmethod
    def carry(self, code: Json, spec: Json, names: AbstractSet[str]) -> Json:
        """Return the code's document with those entries of the spec added."""

    def compare(self, spec: Json, code: Json) -> Iterator[Difference]:
        """Yield every place where two documents differ."""
        return differences(spec, code)

    @abstractmethod
    def place(self, path: Path) -> str:
        """Say in words where in the document something is."""

    @abstractmethod
    def shape_problem(self, document: Json) -> str | None:
        """Say what keeps the document from being one of this kind."""

    def read(self, document: Document) -> yaml_format.Loaded:
        """Parse the spec, its approval header left out of the data.

        Raises `SpecFormatError` if it is no document of this kind.
        """
        loaded = yaml_format.load(document.body)
        if not isinstance(loaded.data, dict):
            raise SpecFormatError(1, "is no mapping")
        if problem := self.shape_problem(loaded.data):
            raise SpecFormatError(1, problem)
        return loaded


def planned_problems(contract: Contract, document: Document, spec: Json) -> Iterator[Problem]:
    """Find planned names the spec does not describe."""
    for name in document.planned:
        if name not in contract.entries(spec):
            yield Problem(document.path, document.planned_line, f"planned {name} is not in here")


def code_problems(contract: Contract, document: Document) -> Iterator[Problem]:
    """Find where the code differs from an approved spec, and planned entries that are built."""
    spec = contract.read(document)
    try:
        code = contract.code()
    except MissingCodeError as error:
        yield Problem(document.path, 1, str(error))
        return
    built = contract.entries(code)
    for name in document.planned:
        if name in built:
            message = f"{name} is built: take it off planned"
            yield Problem(document.path, document.planned_line, message)
    expected = contract.without(spec.data, set(document.planned) - built)
    for difference in contract.compare(expected, code):
        message = f"{contract.place(difference.path)} {difference.words}"
        yield Problem(document.path, spec.line(difference.path), message)


def proposal(contract: Contract, current: Document | None) -> Document:
    """Return the spec as the code stands, with what is planned and not built kept.

    The approval is kept too if nothing but `planned` changes.
    Raises `MissingCodeError`, or `SpecFormatError` for a current spec that cannot be read.
    """
    code = contract.code()
    if current is None:
        return Document(contract.path, "", {"status": "draft"}, yaml_format.dump(code))
    spec = contract.read(current).data
    planned = [name for name in current.planned if name not in contract.entries(code)]
    proposed = contract.carry(code, spec, set(planned))
    if next(differences(spec, proposed), None) is None:
        return replace(current, header={**current.header, "planned": planned})
    header = {"status": "draft", "planned": planned}
    return Document(contract.path, "", header, yaml_format.dump(proposed))
