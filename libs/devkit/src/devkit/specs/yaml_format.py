"""YAML as the specs use it: JSON's types only, read with line numbers, written for people."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import yaml

from devkit.specs.problems import SpecFormatError

_WIDTH = 100
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.CSafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature.
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                # PyYAML would silently keep the last one, and a reviewer reads the first.
                raise yaml.constructor.ConstructorError(
                    problem=f"{key.value} is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return {str(key): value for key, value in super().construct_mapping(node, deep).items()}


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature.
        return True


def _date_as_text(_: yaml.CSafeLoader, node: yaml.ScalarNode) -> str:
    return str(node.value)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else ">" if len(text) > _WIDTH and " " in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


# JSON has no dates: an unquoted one in a spec is the text an app would send.
_Loader.add_constructor(_TIMESTAMP, _date_as_text)
_Dumper.add_representer(str, _text)
_Dumper.add_multi_representer(str, _text)  # SQLAlchemy's names are a subclass.


@dataclass(frozen=True)
class Loaded:
    """A document and where its parts stand; `data` holds JSON's types, every key a string."""

    data: Any
    root: yaml.Node | None

    def line(self, path: tuple[str | int, ...]) -> int:
        """Return the line of the deepest part of `path` that the text has."""
        line, node = 1, self.root
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line


def load(text: str) -> Loaded:
    """Read one document.

    Raises `SpecFormatError` if the text is not YAML or gives a key twice.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        data = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SpecFormatError(mark.line + 1 if mark else 1, str(error.problem)) from error
    except yaml.YAMLError as error:
        raise SpecFormatError(1, f"is no YAML: {error}") from error
    return Loaded(data, root)


def dump(data: object) -> str:
    """Write in block style, keys in the order given, long text folded, nothing abbreviated."""
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return str(text)


def _child(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item = node.value[step]
        return item.start_mark.line + 1, item
    return None
