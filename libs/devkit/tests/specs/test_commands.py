"""What each command prints, writes and refuses."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, Table

from devkit.specs.__main__ import main
from devkit.specs.approvals import LOCK
from devkit.specs.check import check
from devkit.specs.project import Project

FEATURES = "specs/features/notes.md"
API = "specs/api/notes.yaml"
DATABASE = "specs/database/notes.yaml"


class Attachment(BaseModel):
    size: int


class Note(BaseModel):
    attachments: list[Attachment]


def large_app() -> FastAPI:
    app = FastAPI(title="Notes")

    @app.get("/notes")
    async def list_notes() -> list[str]:
        """List every note."""
        return []

    @app.post("/notes")
    async def create_note(note: Note) -> Note:
        return note

    return app


@pytest.fixture
def larger(project: Project) -> Project:
    """The project with one more operation, two schemas of its own, and its spec approved."""
    project = replace(project, openapi={"notes": large_app().openapi})
    main(["propose", "api"], project)
    main(["approve", "--by", "Ada"], project)
    return project


def lock_entry(project: Project, path: str) -> dict[str, str]:
    entry: dict[str, str] = json.loads((project.root / LOCK).read_text())[path]
    return entry


def test_check_is_the_default_and_prints_one_line_when_all_is_well(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()

    status = main([], project)

    assert (status, capsys.readouterr().out.count("\n")) == (0, 1)


def test_check_prints_each_problem_as_path_line_message_and_fails(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.root / FEATURES).unlink()
    capsys.readouterr()

    status = main(["check"], project)

    lines = capsys.readouterr().err.splitlines()
    assert status == 1
    assert len(lines) == 3
    assert all(re.fullmatch(r"\S+:\d+: .+", line) for line in lines)


@pytest.mark.spec("SPEC-7")
def test_approve_writes_who_and_when_into_the_spec_and_the_lock(project: Project) -> None:
    today = datetime.now(UTC).date().isoformat()

    status = main(["approve", "--by", "Grace", FEATURES], project)

    text = (project.root / FEATURES).read_text()
    entry = lock_entry(project, FEATURES)
    assert status == 0
    assert text.startswith(
        f"---\nstatus: approved\napproved_by: Grace\napproved_on: {today}\n---\n"
    )
    assert (entry["approved_by"], entry["approved_on"]) == ("Grace", today)
    assert re.fullmatch(r"[0-9a-f]{64}", entry["sha256"])


@pytest.mark.spec("SPEC-7")
def test_approve_without_paths_leaves_what_is_approved_alone(project: Project) -> None:
    before = lock_entry(project, API)
    (project.root / FEATURES).write_text("---\nstatus: draft\n---\n- **NOTE-1** Text.\n")

    main(["approve", "--by", "Grace"], project)

    assert lock_entry(project, API) == before
    assert lock_entry(project, FEATURES)["approved_by"] == "Grace"


@pytest.mark.spec("SPEC-7")
def test_approve_refuses_a_malformed_spec(project: Project) -> None:
    before = (project.root / LOCK).read_text()
    malformed = "---\nstatus: draft\n---\n- **NOTE-1** Text.\n- **NOTE-1** Text.\n"
    (project.root / FEATURES).write_text(malformed)

    status = main(["approve", "--by", "Grace"], project)

    assert status == 1
    assert (project.root / FEATURES).read_text() == malformed
    assert (project.root / LOCK).read_text() == before


@pytest.mark.spec("SPEC-7")
def test_approve_refuses_a_path_that_is_no_spec(project: Project) -> None:
    assert main(["approve", "--by", "Grace", "specs/README.md"], project) == 1


@pytest.mark.spec("SPEC-7")
def test_approve_needs_a_name(project: Project) -> None:
    with pytest.raises(SystemExit):
        main(["approve", "--by", " "], project)


@pytest.mark.spec("SPEC-7")
def test_approve_takes_a_spec_that_is_gone_off_the_lock(project: Project) -> None:
    (project.root / FEATURES).unlink()

    main(["approve", "--by", "Grace"], project)

    assert FEATURES not in json.loads((project.root / LOCK).read_text())


def test_propose_writes_what_the_app_says_as_a_draft(larger: Project) -> None:
    (larger.root / API).unlink()

    main(["propose", "api"], larger)

    assert (larger.root / API).read_text().startswith("x-approval:\n  status: draft\nopenapi: 3.1")
    main(["approve", "--by", "Ada", API], larger)
    assert check(larger).problems == []


def test_propose_keeps_the_approval_of_what_does_not_change(larger: Project) -> None:
    before = (larger.root / API).read_text()

    main(["propose", "all"], larger)

    assert (larger.root / API).read_text() == before


@pytest.mark.spec("SPEC-6")
def test_a_planned_operation_may_bring_its_own_schemas(larger: Project, project: Project) -> None:
    text = (larger.root / API).read_text()
    planned = text.replace("approved_by", "planned:\n  - POST /notes\n  approved_by", 1)
    (larger.root / API).write_text(planned)

    assert check(project).problems == []


@pytest.mark.spec("SPEC-6")
def test_propose_keeps_what_is_planned_and_takes_off_what_is_built(
    larger: Project, project: Project
) -> None:
    text = (larger.root / API).read_text()
    planned = text.replace("approved_by", "planned: [POST /notes]\n  approved_by", 1)
    (larger.root / API).write_text(planned)

    main(["propose", "api"], project)
    kept = (larger.root / API).read_text()
    main(["propose", "api"], larger)

    assert "planned:\n  - POST /notes\n" in kept
    assert "Attachment" in kept
    assert (larger.root / API).read_text() == text


@pytest.mark.spec("SPEC-6")
def test_propose_keeps_planned_tables(project: Project) -> None:
    file = project.root / DATABASE
    file.write_text(file.read_text().replace("approved_by", "planned: [note]\n  approved_by", 1))
    metadata = MetaData()
    Table("other", metadata, Column("id", Integer, primary_key=True))

    main(["propose", "database"], replace(project, tables={"notes": lambda: metadata}))

    text = file.read_text()
    assert "status: draft" in text
    assert "\n  note:\n" in text
    assert "\n  other:\n" in text


def test_propose_refuses_to_overwrite_what_it_cannot_read(project: Project) -> None:
    (project.root / API).write_text("x-approval: {}\n")

    assert main(["propose", "api"], project) == 1
    assert (project.root / API).read_text() == "x-approval: {}\n"


def test_requirements_lists_each_with_its_tests(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()

    main(["requirements"], project)

    assert capsys.readouterr().out.splitlines() == [
        "NOTE-1  A note has a text, and keeps it.",
        "    tests/test_notes.py::test_a_note_keeps_its_text",
        "NOTE-2  A note can be read.",
        "    tests/test_notes.py::TestReading::test_a_note_can_be_read",
    ]
