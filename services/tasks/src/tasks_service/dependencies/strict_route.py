"""The route class of this service: no request gets past it unsigned, or saying more than asked."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, get_type_hints

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams

from service_kit.errors import ValidationFailedError
from service_kit.problems import ProblemField
from tasks_service.dependencies.identity import authenticate
from tasks_service.dependencies.json_body import JsonRequest
from tasks_service.dependencies.lean import finders_of
from tasks_service.dependencies.resources import resources, writing_for
from tasks_service.schemas.query import QueryParameters

_SYNC_CURSOR = "X-Sync-Cursor"


class StrictRoute(APIRoute):
    """Checks the identity before anything is read, then the query's names and the body.

    What was written is on the answer as the cursor that includes it.
    A route declares its query as one `QueryParameters` model, or takes no query.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's own handler, or that of a `lean` function, behind our checks."""
        handle = self._lean_handler() or super().get_route_handler()
        query = _declared_query(self.endpoint)
        has_body = self.body_field is not None

        async def handle_strictly(request: Request) -> Response:
            authenticate(request)
            _check_query(request.query_params, query)
            if has_body:
                request = JsonRequest(request.scope, request.receive)
                await request.read()
            response = await handle(request)
            _tell(request, response)
            return response

        return handle_strictly

    def _lean_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]] | None:
        finders = finders_of(self.endpoint)
        if finders is None:
            return None

        async def handle(request: Request) -> Response:
            arguments = {name: await find(request) for name, find in finders.items()}
            answer: Response = await self.endpoint(**arguments)
            return answer

        return handle


def _tell(request: Request, response: Response) -> None:
    """Tell what was written: on the answer, and to the user's open streams."""
    writing = writing_for(request)
    if writing is not None and writing.writes.cursor is not None:
        response.headers[_SYNC_CURSOR] = str(writing.writes.cursor)
        user_id: str = request.state.user_id
        resources(request).events.announce(user_id, *writing)


class _NoParameters(QueryParameters):
    pass


def _declared_query(endpoint: Callable[..., Any]) -> type[QueryParameters]:
    for hint in get_type_hints(endpoint).values():
        if isinstance(hint, type) and issubclass(hint, QueryParameters):
            return hint
    return _NoParameters


def _check_query(given: QueryParams, declared: type[QueryParameters]) -> None:
    problems = list(_query_problems(given, declared)) if given else []
    if problems:
        raise ValidationFailedError(problems)


def _query_problems(given: QueryParams, declared: type[QueryParameters]) -> Iterator[ProblemField]:
    seen: set[str] = set()
    for name, value in given.multi_items():
        if name not in declared.model_fields:
            yield ProblemField(detail="is not a parameter here", parameter=name)
        elif name in seen and name not in declared.repeatable():
            yield ProblemField(detail="may be given only once", parameter=name)
        elif "\0" in value:
            yield ProblemField(detail="has a NUL character", parameter=name)
        seen.add(name)
