"""Each way in which code and approved specs can part, and that the check sees it."""

import json
from dataclasses import replace

import pytest
from fastapi import FastAPI
from sqlalchemy import Column, Integer, MetaData, String, Table

from devkit.specs.approvals import LOCK
from devkit.specs.check import check
from devkit.specs.project import MissingCodeError, Project

FEATURES = "specs/features/notes.md"
API = "specs/api/notes.yaml"
DATABASE = "specs/database/notes.yaml"
TESTS = "tests/test_notes.py"


def edit(project: Project, path: str, old: str, new: str) -> None:
    file = project.root / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def found(project: Project) -> list[str]:
    return [str(problem) for problem in check(project).problems]


def app_with(title: str = "Notes", *, also_delete: bool = False) -> FastAPI:
    app = FastAPI(title=title)

    @app.get("/notes")
    async def list_notes() -> list[int]:
        """List every note, newest first."""
        return []

    if also_delete:
        app.delete("/notes")(list_notes)
    return app


def serving(project: Project, app: FastAPI) -> Project:
    return replace(project, openapi={"notes": app.openapi})


def test_a_project_that_follows_its_specs_passes(project: Project) -> None:
    report = check(project)

    assert report.problems == []
    assert report.summary == (
        "specs: 3 files, 2 requirements, 2 tests marked, 1 operations, 1 tables"
    )


@pytest.mark.spec("SPEC-1")
@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (FEATURES, "can be read", "can be written"),
        (FEATURES, "approved_by: Ada", "approved_by: Eve"),
        (API, "List every note.", "List some notes."),
        (DATABASE, "VARCHAR(255)", "VARCHAR(300)"),
    ],
)
def test_an_approved_spec_edited_without_approval_fails(
    project: Project, path: str, old: str, new: str
) -> None:
    edit(project, path, old, new)

    assert any(problem.startswith(f"{path}:1: edited since Ada") for problem in found(project))


@pytest.mark.spec("SPEC-1")
def test_a_spec_called_approved_without_a_lock_entry_fails(project: Project) -> None:
    (project.root / LOCK).unlink()

    assert f"{FEATURES}:1: is called approved but is not in {LOCK}" in found(project)


@pytest.mark.spec("SPEC-1")
def test_a_lock_entry_edited_by_hand_fails(project: Project) -> None:
    edit(project, LOCK, "Ada", "Eve")

    assert any("edited since Eve" in problem for problem in found(project))


@pytest.mark.spec("SPEC-1")
def test_a_lock_entry_without_its_file_fails(project: Project) -> None:
    edit(project, LOCK, "{", '{"specs/features/gone.md": {},')

    assert f"{LOCK}:1: specs/features/gone.md is approved, but there is no such file" in found(
        project
    )


@pytest.mark.spec("SPEC-1")
def test_a_draft_fails_unless_drafts_are_allowed(project: Project) -> None:
    edit(project, FEATURES, "status: approved", "status: draft")

    assert found(project) == [f"{FEATURES}:1: is a draft: approve it or take it out"]
    assert check(project, allow_drafts=True).problems == []


@pytest.mark.spec("SPEC-1")
def test_line_endings_are_no_edit(project: Project) -> None:
    file = project.root / FEATURES
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")

    assert found(project) == []


@pytest.mark.spec("SPEC-2")
def test_an_app_that_differs_from_its_spec_fails_place_by_place(project: Project) -> None:
    problems = found(serving(project, app_with(also_delete=True)))

    schema = "responses.200.content.application/json.schema"
    words = [problem.split(": ", 1)[1] for problem in problems]
    assert (
        "GET /notes: description differs: 'List every note.' in the spec, "
        "'List every note, newest first.' in the code"
    ) in words
    assert (
        f"GET /notes: {schema}.items.type differs: 'string' in the spec, 'integer' in the code"
    ) in words
    assert "DELETE /notes is in the code, not in the spec" in words


@pytest.mark.spec("SPEC-2")
def test_a_difference_points_at_its_line_in_the_spec(project: Project) -> None:
    problems = found(serving(project, app_with(title="Other")))

    lines = (project.root / API).read_text().splitlines()
    number = lines.index("  title: Notes") + 1
    assert f"{API}:{number}: info.title differs: 'Notes' in the spec, 'Other' in the code" in (
        problems
    )


@pytest.mark.spec("SPEC-2")
def test_an_operation_that_is_specified_but_not_built_fails(project: Project) -> None:
    problems = found(serving(project, FastAPI(title="Notes")))

    assert any(
        problem.endswith("GET /notes is in the spec, not in the code") for problem in problems
    )


@pytest.mark.spec("SPEC-2")
def test_an_app_without_a_spec_fails(project: Project) -> None:
    project = replace(project, openapi={**project.openapi, "other": app_with().openapi})

    assert found(project) == ["specs/api/other.yaml:1: there is no such spec: propose one"]


@pytest.mark.spec("SPEC-2")
def test_code_that_cannot_be_loaded_fails(project: Project) -> None:
    def load() -> dict[str, object]:
        raise MissingCodeError("notes.main cannot be loaded")

    assert found(replace(project, openapi={"notes": load})) == [
        f"{API}:1: notes.main cannot be loaded"
    ]


@pytest.mark.spec("SPEC-2")
def test_a_spec_that_describes_nothing_fails(project: Project) -> None:
    assert f"{API}:1: describes nothing this project has" in found(replace(project, openapi={}))


@pytest.mark.spec("SPEC-3")
def test_tables_that_differ_from_their_spec_fail(project: Project) -> None:
    metadata = MetaData()
    Table("note", metadata, Column("user_id", String(99), primary_key=True), Column("n", Integer))
    Table("other", metadata, Column("id", Integer, primary_key=True))

    problems = found(replace(project, tables={"notes": lambda: metadata}))

    words = [problem.split(": ", 1)[1] for problem in problems]
    assert words == [
        "other is in the code, not in the spec",
        "note: columns.n is in the code, not in the spec",
        "note: columns.user_id.type differs: 'VARCHAR(255)' in the spec, 'VARCHAR(99)' in the code",
    ]


@pytest.mark.spec("SPEC-3")
def test_a_table_that_is_specified_but_not_built_fails(project: Project) -> None:
    problems = found(replace(project, tables={"notes": MetaData}))

    assert [problem.split(": ", 1)[1] for problem in problems] == [
        "note is in the spec, not in the code"
    ]


@pytest.mark.spec("SPEC-4")
def test_a_requirement_without_a_test_fails(project: Project) -> None:
    edit(project, TESTS, '@pytest.mark.spec("NOTE-1")', "")

    number = (project.root / FEATURES).read_text().split("- **NOTE-1")[0].count("\n") + 1
    assert found(project) == [f"{FEATURES}:{number}: NOTE-1 has no test"]


@pytest.mark.spec("SPEC-5")
def test_a_mark_naming_no_requirement_fails(project: Project) -> None:
    edit(project, TESTS, '"NOTE-1"', '"NOTE-1", "NOTE-9"')

    assert found(project) == [f"{TESTS}:3: NOTE-9 names no requirement"]


def plan(project: Project, path: str, name: str) -> None:
    indent = "" if path == FEATURES else "  "
    edit(project, path, "approved_by", f"planned: [{name}]\n{indent}approved_by")


@pytest.mark.spec("SPEC-6")
def test_a_planned_requirement_needs_no_test(project: Project) -> None:
    edit(project, TESTS, '@pytest.mark.spec("NOTE-1")', "")
    plan(project, FEATURES, "NOTE-1")

    assert found(project) == []


@pytest.mark.spec("SPEC-6")
def test_a_planned_requirement_with_a_test_is_to_be_taken_off(project: Project) -> None:
    plan(project, FEATURES, "NOTE-1")

    assert found(project) == [f"{FEATURES}:3: NOTE-1 has a test: take it off planned"]


@pytest.mark.spec("SPEC-6")
def test_a_planned_operation_needs_no_code(project: Project) -> None:
    plan(project, API, "GET /notes")

    assert found(serving(project, FastAPI(title="Notes"))) == []


@pytest.mark.spec("SPEC-6")
def test_a_planned_operation_that_is_built_is_to_be_taken_off(project: Project) -> None:
    plan(project, API, "GET /notes")

    assert found(project) == [f"{API}:3: GET /notes is built: take it off planned"]


@pytest.mark.spec("SPEC-6")
def test_a_planned_table_needs_no_code(project: Project) -> None:
    plan(project, DATABASE, "note")

    assert found(replace(project, tables={"notes": MetaData})) == []


@pytest.mark.spec("SPEC-6")
def test_a_planned_table_that_is_built_is_to_be_taken_off(project: Project) -> None:
    plan(project, DATABASE, "note")

    assert found(project) == [f"{DATABASE}:3: note is built: take it off planned"]


@pytest.mark.spec("SPEC-6")
@pytest.mark.parametrize(
    ("path", "name"), [(FEATURES, "NOTE-9"), (API, "GET /nowhere"), (DATABASE, "nothing")]
)
def test_a_planned_name_that_the_spec_lacks_fails(project: Project, path: str, name: str) -> None:
    plan(project, path, name)

    assert found(project) == [f"{path}:3: planned {name} is not in here"]


def test_an_id_given_twice_fails(project: Project) -> None:
    file = project.root / "specs/features/other.md"
    file.write_text("---\nstatus: draft\n---\n\n- **NOTE-1** Something else.\n")

    messages = [problem.message for problem in check(project, allow_drafts=True).problems]

    assert messages == [f"NOTE-1 is already at {FEATURES}:9"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("**NOTE-2** A note can", "**Note-2**: A note can", "write a requirement as"),
        ("A note can be read.", "", "NOTE-2 promises nothing"),
        ("status: approved", "status: maybe", "status must be draft or approved"),
        ("status: approved", "status: approved\nstatus: draft", "status is given twice"),
        ("status: approved", "status: approved\nplaned: []", "unknown keys: planed"),
        ("status: approved", "status: approved\nplanned: NOTE-1", "planned must be a list"),
        ("---\nstatus", "status", "needs front matter"),
    ],
)
def test_a_malformed_feature_file_fails(project: Project, old: str, new: str, message: str) -> None:
    edit(project, FEATURES, old, new)

    assert any(message in problem for problem in found(project))


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        (API, "openapi: 3.1.0", "openapi: 3.0.0", "is not OpenAPI 3.1"),
        (API, "paths:", "ways:", "has no paths"),
        (API, "x-approval:", "x-other:", "needs the key x-approval"),
        (API, "openapi: 3.1.0", "openapi: [", "while parsing|did not find|expected"),
        (API, "openapi: 3.1.0", "openapi: 3.1.0\nopenapi: 3.1.0", "openapi is given twice"),
        (DATABASE, "tables:", "stools:", "has no tables"),
    ],
)
def test_a_malformed_contract_fails(
    project: Project, path: str, old: str, new: str, message: str
) -> None:
    edit(project, path, old, new)

    problems = found(project)
    assert any(part in problem for problem in problems for part in message.split("|"))


def test_the_lock_is_sorted_json(project: Project) -> None:
    lock = json.loads((project.root / LOCK).read_text())

    assert list(lock) == sorted(lock) == sorted([FEATURES, API, DATABASE])
