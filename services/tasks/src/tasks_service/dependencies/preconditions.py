"""The headers that make a request conditional or repeatable, read."""

from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import JsonValue

from service_kit.errors import ValidationFailedError
from service_kit.problems import ProblemField
from tasks_service.schemas.entity_tags import EntityTags, Preconditions, parse_entity_tags

# Only documented: FastAPI would check the last line of several.
_TAG = r'(W/)?"[!#-~]*"'
_ENTITY_TAGS: dict[str, JsonValue] = {"pattern": rf"^(\*|{_TAG}(, ?{_TAG})*)$"}


async def _if_match(
    request: Request,
    _documented: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description='The ETag to change, like `"3"`.',
            json_schema_extra=_ENTITY_TAGS,
        ),
    ] = None,
) -> EntityTags | None:
    return _parse(request, "If-Match")


async def _if_none_match(
    request: Request,
    _documented: Annotated[
        str | None,
        Header(
            alias="If-None-Match",
            description="ETags the caller has, or `*`.",
            json_schema_extra=_ENTITY_TAGS,
        ),
    ] = None,
) -> EntityTags | None:
    return _parse(request, "If-None-Match")


def _parse(request: Request, name: str) -> EntityTags | None:
    # Several lines of one header are one list (RFC 9110 §5.3); FastAPI would give the last.
    lines = request.headers.getlist(name)
    if not lines:
        return None
    try:
        return parse_entity_tags(", ".join(lines))
    except ValueError as error:
        raise ValidationFailedError([ProblemField(detail=str(error), header=name)]) from None


IfMatch = Annotated[EntityTags | None, Depends(_if_match)]
IfNoneMatch = Annotated[EntityTags | None, Depends(_if_none_match)]


async def _put_conditions(if_match: IfMatch, if_none_match: IfNoneMatch) -> Preconditions:
    return Preconditions(if_match, if_none_match)


PutConditions = Annotated[Preconditions, Depends(_put_conditions)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        # Printable ASCII.
        pattern="^[ -~]{1,255}$",
        description="Makes repeating the request safe for 24 hours.",
    ),
]
