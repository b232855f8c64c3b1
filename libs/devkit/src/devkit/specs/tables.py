"""Database tables as contracts, rendered the way PostgreSQL is told about them."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Constraint,
    Dialect,
    Enum,
    ForeignKeyConstraint,
    MetaData,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from devkit.specs.contracts import Contract, Json
from devkit.specs.differences import Path

# Another parameter style than the default, which would double every `%` in an expression.
_DIALECT: Dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]  # SQLAlchemy's.
_DDL = _DIALECT.ddl_compiler(_DIALECT, None)  # type: ignore[arg-type]  # As SQLAlchemy does.


@dataclass(frozen=True)
class TablesContract(Contract):
    """One service's tables; an entry is a table's name."""

    path: str
    load: Callable[[], MetaData]

    def code(self) -> Json:
        """Return what the models declare."""
        return {"tables": render(self.load())}

    def shape_problem(self, document: Json) -> str | None:
        """Ask for tables by name."""
        return None if isinstance(document.get("tables"), dict) else "has no tables"

    def entries(self, document: Json) -> AbstractSet[str]:
        """Return the tables' names."""
        tables: Mapping[str, Any] = document["tables"]
        return tables.keys()

    def without(self, document: Json, names: AbstractSet[str]) -> Json:
        """Drop tables."""
        tables = document["tables"]
        return {**document, "tables": {name: tables[name] for name in tables if name not in names}}

    def carry(self, code: Json, spec: Json, names: AbstractSet[str]) -> Json:
        """Add tables."""
        kept = {name: table for name, table in spec["tables"].items() if name in names}
        return {"tables": {**code["tables"], **kept}}

    def place(self, path: Path) -> str:
        """Name a table, then its part."""
        table, part = path[1:2], path[2:]
        return ": ".join(".".join(map(str, steps)) for steps in (table, part) if steps)


def render(metadata: MetaData) -> dict[str, Json]:
    """Return the tables, parents first, as JSON; constraints and indexes are PostgreSQL's DDL."""
    return {table.fullname: _table(table) for table in metadata.sorted_tables}


def _table(table: Table) -> Json:
    parts = {
        "comment": table.comment,
        "columns": {column.name: _column(column) for column in table.columns},
        "primary_key": [column.name for column in table.primary_key.columns],
        "foreign_keys": _constraints(table, ForeignKeyConstraint),
        "unique": _constraints(table, UniqueConstraint),
        "checks": _constraints(table, CheckConstraint),
        "indexes": {
            str(index.name): _one_line(str(CreateIndex(index).compile(dialect=_DIALECT)))
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        },
    }
    return {name: part for name, part in parts.items() if part}


def _column(column: Column[Any]) -> Json:
    server_default = _DDL.get_column_default_string(column)
    parts = {
        "type": _DIALECT.type_compiler_instance.process(column.type),
        "values": list(column.type.enums) if isinstance(column.type, Enum) else None,
        "nullable": bool(column.nullable),
        "default": _default(column),
        "server_default": server_default,
        "computed": _DDL.process(column.computed) if column.computed is not None else None,
        "identity": _DDL.process(column.identity) if column.identity is not None else None,
        "comment": column.comment,
    }
    return {name: part for name, part in parts.items() if part is not None}


def _default(column: Column[Any]) -> str | None:
    """Return the value, or the name of the function, that Python fills in."""
    argument = getattr(column.default, "arg", None)
    if callable(argument):
        return f"{getattr(argument, '__name__', type(argument).__name__)}()"
    return None if argument is None else repr(argument)


def _constraints(table: Table, kind: type[Constraint]) -> list[str]:
    # A set in SQLAlchemy: only sorting gives the same file twice.
    return sorted(
        _one_line(_DDL.process(constraint))
        for constraint in table.constraints
        if isinstance(constraint, kind)
    )


def _one_line(sql: str) -> str:
    return " ".join(sql.split())
