"""OpenAPI documents as contracts: operations, and the components only they refer to."""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from devkit.specs.contracts import Contract, Json
from devkit.specs.differences import Difference, Path, differences

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

Component = tuple[str, str]


@dataclass(frozen=True)
class OpenApiContract(Contract):
    """One app's HTTP API; an entry is an operation such as `GET /api/v1/tasks`."""

    path: str
    load: Callable[[], Json]

    def code(self) -> Json:
        """Return the app's own OpenAPI document."""
        return self.load()

    def shape_problem(self, document: Json) -> str | None:
        """Ask for OpenAPI 3.1 (the version FastAPI writes) with paths."""
        if not str(document.get("openapi", "")).startswith("3.1."):
            return "is not OpenAPI 3.1"
        paths = document.get("paths")
        if not isinstance(paths, dict) or not all(
            isinstance(item, dict) for item in paths.values()
        ):
            return "has no paths"
        return None

    def entries(self, document: Json) -> AbstractSet[str]:
        """Return the operations."""
        return _operations(document).keys()

    def without(self, document: Json, names: AbstractSet[str]) -> Json:
        """Drop operations with the components that nothing else uses."""
        kept = deepcopy(document)
        for name in names & _operations(document).keys():
            path, method = _operations(document)[name]
            del kept["paths"][path][method]
            if not kept["paths"][path]:
                del kept["paths"][path]
        for kind, component in _used(document) - _used(kept):
            kept["components"][kind].pop(component, None)
        _drop_empty(kept)
        return kept

    def carry(self, code: Json, spec: Json, names: AbstractSet[str]) -> Json:
        """Add operations with the components they use and the code does not have."""
        merged, operations = deepcopy(code), _operations(spec)
        for name in (name for name in operations if name in names):
            path, method = operations[name]
            merged["paths"].setdefault(path, {})[method] = spec["paths"][path][method]
        theirs = {**merged, "components": spec.get("components", {})}
        for kind, named in spec.get("components", {}).items():
            for component in named:
                if (kind, component) in _used(theirs):
                    kinds = merged.setdefault("components", {}).setdefault(kind, {})
                    kinds.setdefault(component, named[component])
        return merged

    def compare(self, spec: Json, code: Json) -> Iterator[Difference]:
        """Yield every place that differs; of a path on one side only, every operation."""
        none: Json = {path: {} for path in {**spec["paths"], **code["paths"]}}
        spec, code = ({**each, "paths": {**none, **each["paths"]}} for each in (spec, code))
        return differences(spec, code)

    def place(self, path: Path) -> str:
        """Name an operation by method and path, anything else by its keys."""
        match path:
            case ["paths", str(url), str(method)]:
                return f"{method.upper()} {url}"
            case ["paths", str(url), str(method), *rest]:
                return f"{method.upper()} {url}: {'.'.join(map(str, rest))}"
        return ".".join(map(str, path))


def _operations(document: Json) -> dict[str, tuple[str, str]]:
    return {
        f"{method.upper()} {path}": (path, method)
        for path, item in document.get("paths", {}).items()
        for method in item
        if method in _METHODS
    }


def _used(document: Json) -> set[Component]:
    """Return the components reached from outside the components, directly or through others."""
    components = document.get("components", {})
    outside = {key: value for key, value in document.items() if key != "components"}
    used: set[Component] = set()
    found = set(_references(outside))
    while found:
        used |= found
        inner = (components.get(kind, {}).get(name) for kind, name in found)
        found = {reference for value in inner for reference in _references(value)} - used
    return used


def _references(value: Any) -> Iterator[Component]:  # noqa: ANN401 - JSON.
    if isinstance(value, str) and value.startswith("#/components/"):
        _, _, kind, name = value.split("/", 3)
        yield kind, name
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _security(item) if key == "security" else _references(item)


def _security(value: Any) -> Iterator[Component]:  # noqa: ANN401 - JSON.
    # Security schemes are the one kind referred to by bare name.
    if isinstance(value, list):
        yield from (("securitySchemes", name) for item in value for name in item)
    else:
        yield from _references(value)


def _drop_empty(document: Json) -> None:
    components = document.get("components", {})
    for kind in [kind for kind, named in components.items() if not named]:
        del components[kind]
    if not components:
        document.pop("components", None)
