"""Full text search.

Safe beside the release before, which neither reads nor writes the generated column. PostgreSQL
writes the table anew for it, and lets nobody at it meanwhile: a second for some 10,000 tasks.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0007"
down_revision = "0006"

# Every word begins with its user, so that the index has each user's words by themselves: one that
# is common to all would else be read for all. Words too long for an index are left out.
_WORD = """
CREATE FUNCTION user_word(user_id text, word text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT '''' || left(md5(user_id), 8)
    || replace(replace(word, '\\', '\\\\'), '''', '''''') || ''''
$$
"""
_WORDS = """
CREATE FUNCTION user_words(user_id text, title text, description text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(string_agg(public.user_word(user_id, lexeme) || ':' || (
      SELECT string_agg(place || weight, ',') FROM unnest(positions, weights) AS at (place, weight)
    ), ' '), '')::tsvector
  FROM unnest(
    setweight(to_tsvector('simple', title), 'A')
    || setweight(to_tsvector('simple', coalesce(description, '')), 'B')
  )
  WHERE octet_length(lexeme) <= 1000
$$
"""
# All of the words, and of the last one the start will do; null where there is no word.
_QUERY = """
CREATE FUNCTION user_query(user_id text, query text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT string_agg(public.user_word(user_id, lexeme)
    || CASE WHEN right(lower(query), length(lexeme)) = lexeme THEN ':*' ELSE '' END, ' & '
  )::tsquery
  FROM unnest(to_tsvector('simple', query))
$$
"""


def upgrade() -> None:
    for function in (_WORD, _WORDS, _QUERY):
        op.get_bind().exec_driver_sql(function)
    words = sa.Computed("user_words((user_id)::text, title, description)", persisted=True)
    op.add_column("task", sa.Column("search", TSVECTOR(), words, nullable=False))
    op.create_index(
        "ix_task_search",
        "task",
        ["search"],
        postgresql_using="gin",
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_task_search", "task")
    op.drop_column("task", "search")
    op.execute("DROP FUNCTION user_query(text, text)")
    op.execute("DROP FUNCTION user_words(text, text, text)")
    op.execute("DROP FUNCTION user_word(text, text)")
