"""Routes whose arguments the request alone decides, found without FastAPI's solver.

The solver looks at everything anew for each request, and costs more than the rest of a read.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from inspect import Parameter, iscoroutinefunction, signature
from typing import Annotated, Any, TypeGuard, TypeVar, get_args, get_origin, get_type_hints
from uuid import UUID

from fastapi import Request, Response, params
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from tasks_service.schemas.query import QueryParameters

Finder = Callable[[Request], Awaitable[Any]]
EndpointT = TypeVar("EndpointT", bound=Callable[..., Awaitable[Response]])
_FINDERS = "_lean_finders"
_UUID = TypeAdapter(UUID)


def lean(endpoint: EndpointT) -> EndpointT:
    """Let a route's function be called without FastAPI's solver.

    Its arguments are a path's ids, a query that is one model, and what a coroutine function gets
    from the request alone; others are a `TypeError`. Dependencies of its routers are not run.
    """
    hints = get_type_hints(endpoint, include_extras=True)
    hints.pop("return")
    vars(endpoint)[_FINDERS] = {name: _finder(name, hint) for name, hint in hints.items()}
    return endpoint


def finders_of(endpoint: Callable[..., Any]) -> Mapping[str, Finder] | None:
    """Return what finds each argument of a `lean` function, None for any other."""
    return vars(endpoint).get(_FINDERS)


def _finder(name: str, hint: Any) -> Finder:  # noqa: ANN401 - a type, or an annotated one
    if hint is UUID:
        return partial(_path_id, name)
    if get_origin(hint) is Annotated:
        kind, *notes = get_args(hint)
        for note in notes:
            if isinstance(note, params.Depends) and _needs_request_alone(note.dependency):
                return note.dependency
            if isinstance(note, params.Query) and issubclass(kind, QueryParameters):
                return partial(_query, kind, kind.repeatable())
    raise TypeError(f"{name} cannot be found in the request alone")


def _needs_request_alone(dependency: Callable[..., Any] | None) -> TypeGuard[Finder]:
    if dependency is None or not iscoroutinefunction(dependency):
        return False
    first, *others = signature(dependency).parameters.values()
    return first.annotation is Request and all(
        other.default is not Parameter.empty for other in others
    )


async def _path_id(name: str, request: Request) -> UUID:
    try:
        return _UUID.validate_python(request.path_params[name])
    except ValidationError as error:
        raise _invalid(error, "path", name) from None


async def _query(
    kind: type[QueryParameters], repeatable: frozenset[str], request: Request
) -> QueryParameters:
    given = request.query_params
    values = {name: given.getlist(name) if name in repeatable else given[name] for name in given}
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _invalid(error, "query") from None


def _invalid(error: ValidationError, *where: str) -> RequestValidationError:
    # As FastAPI says it.
    return RequestValidationError(
        [{**problem, "loc": (*where, *problem["loc"])} for problem in error.errors()]
    )
