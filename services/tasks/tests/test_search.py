import random
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from devkit.databases import fresh_databases
from tasks_service.main import create_app
from tasks_service.migrate import downgrade, upgrade
from tasks_service.services import task_list, word_filter
from tasks_service.services.share import met_soon
from tasks_service.settings import DatabaseSettings, TasksSettings

NewUser = Callable[..., AsyncClient]

TASKS = "/api/v1/tasks"
_OF_BEFORE = """
INSERT INTO account (user_id, last_version, created_at, updated_at) VALUES ('a', 3, now(), now());
INSERT INTO task
  (user_id, id, title, priority, tags, tag_keys, version, created_at, updated_at, deleted_at)
SELECT 'a', gen_random_uuid(), title, 0, '{T}', '{t}', 3, now() - interval '1 day',
  now() - interval '1 day', deleted_at
FROM (VALUES ('src/main.py', NULL), ('main.c', now())) AS given (title, deleted_at)
"""
_HITS = """
SELECT title FROM task WHERE search @@ user_query('a', 'main') AND deleted_at IS NULL
"""
_EVERYTHING_ELSE = """
SELECT to_jsonb(task) - 'search' FROM task UNION ALL SELECT to_jsonb(account) FROM account
UNION ALL SELECT to_jsonb(tag) FROM tag UNION ALL SELECT to_jsonb(task_count) FROM task_count
UNION ALL SELECT to_jsonb(tombstone) FROM tombstone ORDER BY 1
"""


async def create(client: AsyncClient, title: str, description: str | None = None) -> Any:
    response = await client.post(TASKS, json={"title": title, "description": description})
    assert response.status_code == 201, response.text
    return response.json()


async def found(client: AsyncClient, q: str, **params: Any) -> list[str]:
    response = await client.get(TASKS, params={"q": q, **params})
    assert response.status_code == 200, response.text
    return [task["title"] for task in response.json()["items"]]


@pytest.mark.spec("SEARCH-1")
@pytest.mark.parametrize(
    ("q", "titles"),
    [
        ("milk", "a"),
        ("MILK", "a"),
        ("mil", "a"),
        ("ilk", ""),
        ("buy milk", "a"),
        ("milk buy", "a"),
        ("bu milk", ""),
        ("milk bu", "a"),
        ("milk bread", ""),
        ("whole milk", "a"),
        ("straße", "b"),
        ("STRASSE", ""),
        ("МОЛОК", "c"),
        ("買い", "d"),
        ("e-mail", "e"),
        ("e-mai", "e"),
        ("mail", "e"),
        ("ada@example.com", "e"),
        ("example.org/pa", "e"),
        ("o'brien", "f"),
        ("c:\\temp", "f"),
        ("12", "g"),
    ],
)
async def test_every_word_is_found_in_title_or_description(
    alice: AsyncClient, q: str, titles: str
) -> None:
    await create(alice, "a", "Buy whole Milk")
    await create(alice, "b", "In der Straße")
    await create(alice, "c", "купить молоко")
    await create(alice, "d", "買い物 と 掃除")
    await create(alice, "e", "An e-mail to ada@example.com about example.org/path")
    await create(alice, "f", "O'Brien has C:\\Temp")
    await create(alice, "g", "At 12.30 o'clock")

    assert await found(alice, q, sort="title") == list(titles)


@pytest.mark.spec("SEARCH-1", "SEARCH-3")
@pytest.mark.parametrize(
    ("title", "q"),
    [
        ("Buy milk/eggs/bread", "eggs"),
        ("and/or question", "or"),
        ("fix src/main.py", "main"),
        ("fix src/main.py", "py"),
        ("fix src/main.py", "main.py"),
        ("C++/Rust", "rust"),
        ("C++/Rust", "c++"),
        ("Call Bob.Then buy milk", "then"),
        ("Read https://example.com/docs/setup", "docs"),
        ("Read https://example.com/docs/setup", "https://example.com/docs/setup"),
        ("Mail bob@example.org", "example.org"),
        ("Call 555-1234", "1234"),
        ("meeting at 10-12", "12"),
        ("pay 3/4 share", "4"),
        ("use <b>bold</b> text", "<b>"),
        ("use <b>bold</b> text", "bold"),
        ("<script>alert</script> x", "alert"),
        ("snake_case", "case"),
        ("買牛奶", "牛奶"),
        ("新しいガイド本", "イド"),
        ("か\u3099く", "か\u3099"),
        ("ซื้อนม", "นม"),
        ("नमस्ते दुनिया", "नमस्ते"),
        ("cafe\u0301 au lait", "cafe\u0301"),
        ("٣٤ م²", "٣٤ م²"),
        ("🎂party", "🎂"),
        ("🎂party", "party"),
        ("Nice👍🏽", "👍"),
        ("I ❤️ you", "❤"),
        ("Ask 👩‍🔬", "👩‍🔬"),
        ("⏰ 7:00", "⏰"),
    ],
)
async def test_words_are_found_whatever_they_stand_between(
    alice: AsyncClient, title: str, q: str
) -> None:
    await create(alice, title)
    await create(alice, "in a description", title)
    await create(alice, "x")

    assert await found(alice, q) == [title, "in a description"]


@pytest.mark.spec("SEARCH-1")
@pytest.mark.parametrize(
    ("title", "q"),
    [
        ("artisan bread smart", "art smart"),
        ("cobol", "c++"),
        ("नमस्ते", "ते"),
        ("cafe\u0301s", "s"),
        ("か\u3099く", "か く"),
        ("買牛肉", "牛奶"),
    ],
)
async def test_the_last_word_alone_may_be_unfinished_and_none_is_half_a_word(
    alice: AsyncClient, title: str, q: str
) -> None:
    await create(alice, title)

    assert await found(alice, q) == []


@pytest.mark.spec("SEARCH-1")
async def test_words_are_those_of_any_other_database_where_the_locale_knows_ascii_alone(
    settings: TasksSettings, postgres_server: str, user_of: Callable[[FastAPI, str], AsyncClient]
) -> None:
    async with fresh_databases(postgres_server) as databases:
        url = SecretStr(await databases.create("LOCALE_PROVIDER libc LOCALE 'C'"))
        other = settings.model_copy(update={"database_url": url})
        await upgrade(other.sqlalchemy_url)
        app = create_app(other)
        app.state.at_once = None
        async with app.router.lifespan_context(app):
            alice = user_of(app, "alice")
            await create(alice, "ÜBER «Öl»—नमस्ते")

            assert await found(alice, "über öl नमस्ते") == ["ÜBER «Öl»—नमस्ते"]


@pytest.mark.spec("SEARCH-6")
async def test_tasks_of_the_releases_before_are_found_and_otherwise_left_alone(
    database_url: str,
) -> None:
    url = DatabaseSettings(database_url=SecretStr(database_url)).sqlalchemy_url
    await upgrade(url, "0015")
    engine = create_async_engine(url, poolclass=NullPool)

    async def seen() -> Any:
        async with engine.connect() as connection:
            hits = await connection.execute(text(_HITS))
            return hits.all(), (await connection.execute(text(_EVERYTHING_ELSE))).all()

    async with engine.begin() as connection:
        for statement in _OF_BEFORE.split(";"):
            await connection.execute(text(statement))
    _, before = await seen()
    await upgrade(url)

    assert await seen() == ([("src/main.py",)], before)
    await downgrade(url, "0015")
    assert await seen() == ([], before)


@pytest.mark.spec("SEARCH-1")
async def test_a_search_combines_with_filters_and_leaves_out_the_trash(alice: AsyncClient) -> None:
    done = await create(alice, "milk done")
    gone = await create(alice, "milk gone")
    await create(alice, "milk open")
    await alice.post(f"{TASKS}/{done['id']}/complete")
    await alice.delete(f"{TASKS}/{gone['id']}")

    assert await found(alice, "milk", completed="false") == ["milk open"]
    assert await found(alice, "milk", sort="-title") == ["milk open", "milk done"]


@pytest.mark.spec("SEARCH-1")
async def test_a_search_follows_what_is_written(alice: AsyncClient) -> None:
    task = await create(alice, "milk")

    await alice.patch(f"{TASKS}/{task['id']}", json={"title": "bread"})

    assert await found(alice, "milk") == []
    assert await found(alice, "bread") == ["bread"]


@pytest.mark.spec("SEARCH-2")
async def test_the_best_match_comes_first(alice: AsyncClient) -> None:
    await create(alice, "Groceries", "bread, and some milk")
    await create(alice, "Milk", "milk and milk")
    await create(alice, "Milk and bread")

    assert await found(alice, "milk") == ["Milk", "Milk and bread", "Groceries"]
    assert await found(alice, "milk", sort="relevance") == await found(alice, "milk")
    assert await found(alice, "milk", sort="created_at") == [
        "Groceries",
        "Milk",
        "Milk and bread",
    ]


@pytest.mark.spec("SEARCH-2", "TASK-17")
async def test_pages_of_matches_hold_each_once_in_order(alice: AsyncClient) -> None:
    rng = random.Random(4)  # noqa: S311 - the same every time
    for _ in range(25):
        words = rng.choices(["milk", "bread", "jam"], k=rng.randint(1, 5))
        await create(alice, "milk " + " ".join(words), " ".join(words))
    whole = (await alice.get(TASKS, params={"q": "milk", "limit": 200})).json()["items"]

    seen: list[Any] = []
    params: dict[str, str] = {"q": "milk", "limit": "4"}
    while True:
        page = (await alice.get(TASKS, params=params)).json()
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]

    assert len(whole) == 25
    assert seen == whole


@pytest.mark.spec("SEARCH-5")
@pytest.mark.parametrize("common", [False, True])
async def test_the_newest_matches_are_ranked_and_older_ones_found_in_other_orders(
    alice: AsyncClient, monkeypatch: pytest.MonkeyPatch, common: bool
) -> None:
    monkeypatch.setattr(task_list, "_MOST_RANKED", 3)
    monkeypatch.setattr(word_filter, "met_soon", lambda *_: common)
    for title in ("milk milk milk", "milk 1", "bread", "milk milk", "milk 2", "bread milk done"):
        await create(alice, title)
    best = ["milk milk", "bread milk done", "milk 2"]

    query = {"q": "milk", "limit": "2", "count": "true"}
    first = (await alice.get(TASKS, params=query)).json()
    rest = (await alice.get(TASKS, params=query | {"cursor": first["next_cursor"]})).json()

    titles = [task["title"] for task in first["items"] + rest["items"]]
    assert titles == await found(alice, "milk")
    assert (titles[0], sorted(titles)) == (best[0], sorted(best))
    assert (first["count"], rest["next_cursor"]) == (5, None)
    assert len(await found(alice, "milk", sort="created_at")) == 5
    assert await found(alice, "milk", sort="title", limit=1) == ["bread milk done"]


@pytest.mark.spec("SEARCH-5", "SPEED-5")
@pytest.mark.parametrize(
    ("number", "total", "wanted", "soon"),
    [
        (1_000_000, 1_000_000, 1000, True),
        (40_000, 1_000_000, 1000, True),
        (30_000, 1_000_000, 1000, False),
        (5_000, 1_000_000, 20, True),
        (4_000, 1_000_000, 20, False),
        (900, 900, 1000, False),
        (0, 900, 20, False),
        (0, 0, 20, False),
    ],
)
def test_what_many_have_is_met_soon(number: int, total: int, wanted: int, soon: bool) -> None:
    assert met_soon(number, total, number, wanted) is soon


@pytest.mark.spec("SEARCH-2", "SEARCH-1", "TASK-20")
@pytest.mark.parametrize(
    "params",
    [{"sort": "relevance"}, {"q": ""}, {"q": " \t"}, {"q": "x" * 201}, {"q": "a\0b"}],
)
async def test_what_cannot_be_searched_for_is_422(alice: AsyncClient, params: Any) -> None:
    response = await alice.get(TASKS, params=params)

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")


@pytest.mark.spec("SEARCH-3")
@pytest.mark.parametrize(
    "q",
    [
        "milk & | ! ( ) <-> :* '",
        "'milk'",
        '"milk',
        "milk:*",
        "milk\\",
        "!milk",
        "(milk",
        "  milk  ",
    ],
)
async def test_operators_are_no_operators(alice: AsyncClient, q: str) -> None:
    await create(alice, "milk")

    assert await found(alice, q) == ["milk"]


@pytest.mark.spec("SEARCH-3")
@pytest.mark.parametrize(
    "q", ["&", "'", "''", "\\", ":*", "()", "-", "…", "→", "</>", "\u200d\ufe0f"]
)
async def test_what_holds_no_word_finds_nothing(alice: AsyncClient, q: str) -> None:
    await create(alice, f"milk {q} milk", q)

    assert await found(alice, q) == []


@pytest.mark.spec("SEARCH-3")
async def test_words_of_any_length_are_kept_and_never_in_the_way(alice: AsyncClient) -> None:
    await create(alice, "long", "x" * 9_000 + " milk " + "é" * 900)
    await create(alice, "😀" * 200, "\\'" * 5_000)

    assert await found(alice, "milk") == ["long"]
    assert await found(alice, "é" * 200) == []
    assert len((await alice.get(TASKS)).json()["items"]) == 2


@pytest.mark.spec("SEARCH-3")
@given(written=st.text(max_size=60), q=st.text(min_size=1, max_size=60))
@hypothesis_settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_no_text_is_an_error(alice: AsyncClient, written: str, q: str) -> None:
    created = await alice.post(TASKS, json={"title": "x", "description": written})
    response = await alice.get(TASKS, params={"q": q, "limit": 1})

    assert created.status_code in {201, 422}
    assert response.status_code in {200, 422}


@pytest.mark.spec("SEARCH-1", "TASK-8")
async def test_a_search_finds_the_callers_tasks_only(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    await create(alice, "milk")

    assert await found(mallory, "milk") == []


@pytest.mark.spec("SEARCH-1", "TASK-8")
@pytest.mark.parametrize(
    ("sort", "one", "other"),
    # The hashes that the words of such two begin with are equal.
    [("relevance", 25584, 37170), ("title", 131349, 169250)],
)
async def test_a_search_leaves_out_others_whose_words_begin_alike(
    new_user: NewUser, sort: str, one: int, other: int
) -> None:
    writer, reader = new_user(f"{sort}-{one}"), new_user(f"{sort}-{other}")
    await create(writer, "milk")

    answer = (await reader.get(TASKS, params={"q": "milk", "sort": sort, "count": "true"})).json()

    assert await found(writer, "milk", sort=sort) == ["milk"]
    assert (answer["items"], answer["count"]) == ([], 0)
