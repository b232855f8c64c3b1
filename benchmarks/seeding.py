"""Many users with many tasks, as one statement each for all of them."""

import time
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from service_kit.identity import sign_identity

_ACCOUNTS = """
INSERT INTO account (user_id, last_version, created_at, updated_at)
SELECT 'user-' || n, $2, now(), now() FROM generate_series(1, $1::int) n
"""
# A third is due, a third is tagged, a third is done; ids and times say who came after whom. The
# newest twenty have a word of their own, as have all but the newest 300.
_TASKS = """
INSERT INTO task (user_id, id, title, description, completed_at, priority, due_on, reminders, tags,
  tag_keys, position, version, field_versions, created_at, updated_at)
SELECT 'user-' || u, md5(u || '/' || n)::uuid, 'Write to Ada about part ' || n,
  'What she needs to know of part ' || n || ', and by when: ' || md5(n::text) || md5(u::text)
    || CASE WHEN n <= 20 THEN ' soon' WHEN n > 300 THEN ' then' ELSE '' END,
  CASE WHEN n % 3 = 2 THEN now() - n * interval '1 minute' END,
  n % 5,
  CASE WHEN n % 3 = 0 THEN current_date + n % 30 END,
  CASE WHEN n % 3 = 0 THEN ARRAY['P1D'] ELSE '{}' END,
  CASE WHEN n % 3 = 1 THEN ARRAY['Home', 'topic ' || n % 7] ELSE '{}' END,
  CASE WHEN n % 3 = 1 THEN ARRAY['home', 'topic ' || n % 7] ELSE '{}' END,
  lpad(to_hex(549755813888 + n), 10, '0'), n, jsonb_build_object('id', n),
  now() - n * interval '1 minute', now() - n * interval '1 minute'
FROM generate_series(1, $1::int) u, generate_series(1, $2::int) n
"""


# As migration 0004 does: without its trigger, all at once.
_TAGS = """
INSERT INTO tag (user_id, id, key, name, version, created_at, updated_at)
SELECT DISTINCT ON (user_id, given.key)
  user_id, gen_random_uuid(), given.key, given.name, version, created_at, created_at
FROM task, unnest(tag_keys, tags) AS given (key, name) WHERE user_id = ANY ($1::text[])
"""
_TASK_TAGS = """
INSERT INTO task_tag (user_id, tag_id, task_id, created_at, updated_at)
SELECT task.user_id, tag.id, task.id, task.created_at, task.created_at
FROM task, unnest(tag_keys) AS given (key), tag
WHERE tag.user_id = task.user_id AND tag.key = given.key AND task.user_id = ANY ($1::text[])
"""
# As migration 0015 does.
_COUNTS = """
INSERT INTO task_count
SELECT user_id, gen_random_uuid(), list_id, priority, count(*) - count(completed_at),
  count(completed_at), now(), now()
FROM task WHERE deleted_at IS NULL AND user_id = ANY ($1::text[])
GROUP BY user_id, list_id, priority
"""
_TAG_COUNTS = """
UPDATE tag SET task_count = (
  SELECT count(*) FROM task_tag WHERE task_tag.user_id = tag.user_id AND tag_id = tag.id
) WHERE user_id = ANY ($1::text[])
"""
# Of others, a thousand each. Working their words out would take most of the time: they get those
# of their titles, split at the blanks.
_OTHERS_TASKS = 1000
_ROWS_PER_TASK = 5 / 3
_QUICK_WORDS = """
CREATE OR REPLACE FUNCTION user_words(user_id text, title text, description text)
RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT regexp_replace(lower(title), '(^| )', '\\1' || left(md5(user_id), 8), 'g')::tsvector
$$
"""
_WORDS = "SELECT pg_get_functiondef('user_words'::regproc)"
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename = 'task' AND indexname LIKE 'ix%'
"""


async def seed_unevenly(database_url: str, sizes: Sequence[int], rows: int = 0) -> None:
    """Give `user-1`, `user-2`, … so many tasks each, a million in minutes.

    Further users get as many as make so many rows of all users, tags of tasks included. The
    indexes are made when the rows are there, and what triggers would do is done for all rows at
    once; the statements are those of `seed`, so that users have the same tasks.
    """
    others = max(0, int(rows / _ROWS_PER_TASK - sum(sizes)) // _OTHERS_TASKS)
    last = len(sizes) + others
    users = [f"user-{number}" for number in range(1, last + 1)]
    connection = await asyncpg.connect(database_url)
    try:
        indexes = await connection.fetch(_INDEXES)
        for name, _ in indexes:
            await connection.execute(f"DROP INDEX {name}")
        # No trigger and no foreign key is looked at.
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(_ACCOUNTS, last, max(sizes))
        words = await connection.fetchval(_WORDS)
        await connection.execute(_QUICK_WORDS)
        those = _TASKS.replace(
            "generate_series(1, $1::int) u", f"generate_series({len(sizes) + 1}, $1::int) u"
        )
        await connection.execute(those, last, _OTHERS_TASKS)
        await connection.execute(words)
        for number, size in enumerate(sizes, 1):
            one = _TASKS.replace("generate_series(1, $1::int) u", "(SELECT $1::int) AS one (u)")
            await connection.execute(one, number, size)
        for statement in (_TAGS, _TASK_TAGS, _COUNTS, _TAG_COUNTS):
            await connection.execute(statement, users)
        await connection.execute("SET session_replication_role = DEFAULT")
        await connection.execute("SET maintenance_work_mem = '256MB'")
        for _, definition in indexes:
            await connection.execute(definition)
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()


async def seed(database_url: str, users: int, tasks: int) -> list[UUID]:
    """Give so many users (`user-1`, …) so many tasks each; return one task's id for each user."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_ACCOUNTS, users, tasks)
        await connection.execute(_TASKS, users, tasks)
        await connection.execute("VACUUM (ANALYZE)")
        rows = await connection.fetch(
            "SELECT md5(u || '/' || 7)::uuid FROM generate_series(1, $1::int) u", users
        )
        return [id_ for (id_,) in rows]
    finally:
        await connection.close()


def signed(user_id: str, key: str) -> dict[str, str]:
    """Return the headers the gateway would send for a user."""
    until = int(time.time()) + 3600
    return sign_identity(user_id, key=key.encode(), audience="tasks", expires_at=until)
