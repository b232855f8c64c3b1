"""A miniature project in a temporary folder: two requirements, one app, one table, all approved."""

import json
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import Column, MetaData, String, Table

from devkit.specs.__main__ import main
from devkit.specs.project import Project

FEATURES = """---
status: draft
---

# Notes

- **NOTE-1** A note has a text,
  and keeps it.
- **NOTE-2** A note can be read.
"""

TESTS = """import pytest

@pytest.mark.spec("NOTE-1")
def test_a_note_keeps_its_text(): ...

class TestReading:
    pytestmark = [pytest.mark.spec("NOTE-2")]

    async def test_a_note_can_be_read(self): ...
"""


def build_app() -> FastAPI:
    app = FastAPI(title="Notes")

    @app.get("/notes")
    async def list_notes() -> list[str]:
        """List every note."""
        return []

    return app


def build_tables() -> MetaData:
    metadata = MetaData()
    Table("note", metadata, Column("user_id", String(255), primary_key=True))
    return metadata


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Everything in it is approved and follows its specs."""
    (tmp_path / "specs/features").mkdir(parents=True)
    (tmp_path / "specs/README.md").write_text("What is where.\n")
    (tmp_path / "specs/features/notes.md").write_text(FEATURES)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_notes.py").write_text(TESTS)
    project = Project(
        root=tmp_path,
        openapi={"notes": lambda: json.loads(json.dumps(build_app().openapi()))},
        tables={"notes": build_tables},
    )
    assert main(["propose", "all"], project) == 0
    assert main(["approve", "--by", "Ada"], project) == 0
    return project
