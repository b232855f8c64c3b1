"""Words are what lies between anything that is no letter, mark of one or number.

The parser of PostgreSQL, used until now, makes one word of a path, an address or a number with its
sign, and none of markup.

Safe beside the release before, which asks by the same functions. PostgreSQL writes the table anew,
its words alone changed and no trigger run, and lets nobody at it meanwhile: about a minute for a
million tasks.
"""

from alembic import context, op

revision = "0016"
down_revision = "0015"

# What is a word by itself: emoji, and letters of scripts written without spaces, which are Thai,
# Lao, Burmese, Khmer, kana and Han, with the marks that letters may have.
_EMOJI = r"\u2300-\u2328\u232B-\u23FF\u2600-\u2767\u2776-\u27BF\u2B00-\u2BFF\U0001F000-\U0001FAFF"
_LETTERS = (
    r"\u0E01-\u0E30\u0E32\u0E33\u0E40-\u0E46\u0E81-\u0EB0\u0EB2\u0EB3\u0EBD-\u0EC6\u0EDC-\u0EDF"
    r"\u1000-\u102A\u1780-\u17B3"
    r"\u3005-\u3007\u3041-\u3096\u309D-\u312F\u31A0-\u31FF\u3400-\u9FFF\uF900-\uFAFF\uFF66-\uFF9F"
    r"\U00020000-\U0003FFFF"
)
_MARKS = (
    r"\u0E31\u0E34-\u0E3A\u0E47-\u0E4E\u0EB1\u0EB4-\u0EBC\u0EC8-\u0ECE\u102B-\u103E"
    r"\u17B4-\u17D3\u17DD\u3099\u309A"
)
# The classes know nothing of what is not seen (joiners, directions, variants), nor of the frame
# around a key; [:punct:] has all symbols.
_BETWEEN = (
    r"[:space:][:punct:][:cntrl:]\u00AD\u200B-\u200F\u2028-\u202E\u2060-\u206F\u20E3"
    r"\uFE00-\uFE0F\uFEFF\U000E0000-\U000E0FFF"
)
# That collation is the same in every database of one release of PostgreSQL; their own may know
# no letters but those of ASCII.
_SPLIT = rf"""
CREATE FUNCTION words_of(written text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT string_to_array(btrim(regexp_replace(regexp_replace(
    lower(written COLLATE pg_c_utf8), '[{_LETTERS}{_EMOJI}][{_MARKS}]*', ' \& ', 'g'),
    '((?![{_EMOJI}])[{_BETWEEN}])+', ' ', 'g')), ' ')
$$
"""
# Words too long for an index are left out.
_WORDS = """
CREATE OR REPLACE FUNCTION user_words(user_id text, title text, description text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(string_agg(public.user_word(user_id, word) || ':' || place
      || CASE WHEN place <= cardinality(titled) THEN 'A' ELSE 'B' END, ' '), '')::tsvector
  FROM public.words_of(title) AS titled,
    unnest(titled || public.words_of(description)) WITH ORDINALITY AS at (word, place)
  WHERE octet_length(word) <= 1000
$$
"""
# All of the words, and of what the query ends with the start will do; null where there is no word.
_QUERY = """
CREATE OR REPLACE FUNCTION user_query(user_id text, query text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT string_agg(public.user_word(user_id, word) || CASE
      WHEN place = cardinality(asked) AND right(lower(query COLLATE pg_c_utf8), length(word)) = word
      THEN ':*' ELSE '' END, ' & ')::tsquery
  FROM public.words_of(query) AS asked, unnest(asked) WITH ORDINALITY AS at (word, place)
$$
"""
_WRITE_ANEW = """
ALTER TABLE task ALTER COLUMN search
  SET EXPRESSION AS (user_words((user_id)::text, title, description))
"""


def upgrade() -> None:
    for function in (_SPLIT, _WORDS, _QUERY):
        op.get_bind().exec_driver_sql(function)
    op.execute(_WRITE_ANEW)


def downgrade() -> None:
    # What the words were is said there alone.
    before = context.script.get_revision("0007").module
    before.downgrade()
    op.execute("DROP FUNCTION words_of(text)")
    before.upgrade()
