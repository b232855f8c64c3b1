"""When a recurring task is due: pure functions of its rule, its due and its completion."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from service_kit.errors import ValidationFailedError
from service_kit.problems import ProblemField
from tasks_service.schemas.recurrence import (
    RecurrenceFrom,
    RecurrencePreview,
    RecurrencePreviewRequest,
)
from tasks_service.schemas.recurrence_rule import Rule, parse_rule, until_text
from tasks_service.services.recurrence_days import YEARS_AHEAD, TooFarError, days_after
from tasks_service.services.task_due import require_one_due

# Kept by name, or each zone would be read from its file again and again.
_zone = cache(ZoneInfo)
# More than the dates of two clocks can differ by, with a time moved past midnight in between.
_CLOCKS_APART_DAYS = 3


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time a task is due.

    `local` is what calendar and clock are to show then, for a date at midnight; `at` is that
    instant, None for a date. `number` is how many COUNT has counted with this one. Whoever stores
    an occurrence stores `local` and `number` beside its due: where the clocks skip `local`, `at`
    is later, and alone it would move every occurrence that follows.
    """

    local: datetime
    at: datetime | None = None
    time_zone: str | None = None
    number: int = 1

    @property
    def due(self) -> date | datetime:
        """Return the date or the instant."""
        return self.local.date() if self.at is None else self.at


def occurrence_of(
    task: Mapping[str, Any], *, local: datetime | None = None, number: int = 1
) -> Occurrence:
    """Return the occurrence that a task's due is.

    `task` has the three due fields by name; `local` and `number` are what was stored with this
    due, and a due that is new has neither. Raises `ValidationFailedError` if the fields do not
    make one due, at an instant with its zone.
    """
    require_one_due(task)
    due_on, due_at, time_zone = task["due_on"], task["due_at"], task["time_zone"]
    if due_on is not None:
        return Occurrence(datetime.combine(due_on, time.min), number=number)
    if due_at is None:
        raise _refusal("due_on", "a recurrence needs due_on, or due_at with time_zone, to start")
    if time_zone is None:
        raise _refusal(
            "time_zone", "a recurrence at an instant needs the zone of its clock, like Europe/Paris"
        )
    return Occurrence(local or _shown(due_at, time_zone, "due_at"), due_at, time_zone, number)


def require_recurring(rule: Rule, first: Occurrence) -> None:
    """Refuse a rule that cannot end as its due would, or never comes to anything after it.

    To be asked whenever a rule or a due is written. Raises `ValidationFailedError`.
    """
    if rule.until is not None and isinstance(rule.until, datetime) != (first.at is not None):
        raise _refusal("recurrence", _other_until(rule.until, first))
    try:
        next(following(rule, first), None)
    except TooFarError:
        raise _refusal(
            "recurrence",
            f"should name a day within {YEARS_AHEAD} years after the due, "
            f"{first.local.date()}, and names none",
        ) from None


def following(
    rule: Rule, current: Occurrence, completed_at: datetime | None = None
) -> Iterator[Occurrence]:
    """Yield the occurrences after one, and after its completion, until the rule ends.

    The rule is one that `require_recurring` has let pass. Raises `TooFarError` after the
    hundredth year.
    """
    start = after = current.local.date()
    if completed_at is not None and rule.count is None:
        # What was missed is not even looked at, as nobody counts it.
        nearly = completed_at.toordinal() - _CLOCKS_APART_DAYS
        after = date.fromordinal(max(start.toordinal(), nearly))
    days = days_after(rule, start, after)
    number = current.number
    while rule.count is None or number < rule.count:
        day = next(days, None)
        if day is None:
            return
        occurrence = _on(day, current, number + 1)
        if occurrence is None:
            continue
        if rule.until is not None and occurrence.due > rule.until:
            return
        number += 1
        if _is_after(occurrence, completed_at):
            yield occurrence


def next_occurrence(
    rule: Rule,
    current: Occurrence,
    *,
    completed_at: datetime | None = None,
    recurrence_from: RecurrenceFrom = RecurrenceFrom.DUE,
) -> Occurrence | None:
    """Return when a task is due next once it is completed, or with None skipped.

    For a task due on a date, the day of the completion is the one in `completed_at`'s own zone.
    Nothing is returned when the rule has ended.
    """
    try:
        return next(_after_completion(rule, current, completed_at, recurrence_from), None)
    except TooFarError:
        return None


def preview_recurrence(request: RecurrencePreviewRequest) -> RecurrencePreview:
    """Return the first occurrences of a rule.

    Raises `ValidationFailedError` if it cannot start from the due, or never comes to anything.
    """
    rule, first = parse_rule(request.recurrence), occurrence_of(dict(request))
    require_recurring(rule, first)
    completed_at = _completion(request)
    rest = _after_completion(rule, first, completed_at, request.recurrence_from)
    found: list[date | datetime] = []
    ends = False
    try:
        for occurrence in chain([first], rest) if completed_at is None else rest:
            if len(found) == request.count:
                break
            found.append(occurrence.due)
        else:
            ends = True
    except TooFarError:
        pass
    return RecurrencePreview(recurrence=request.recurrence, occurrences=found, ends=ends)


def _after_completion(
    rule: Rule,
    current: Occurrence,
    completed_at: datetime | None,
    recurrence_from: RecurrenceFrom,
) -> Iterator[Occurrence]:
    if completed_at is None:
        return following(rule, current)
    if recurrence_from == RecurrenceFrom.COMPLETION:
        day = completed_at.date()
        if current.time_zone is not None:
            day = _shown(completed_at, current.time_zone, "after").date()
        return following(rule, replace(current, local=datetime.combine(day, current.local.time())))
    return following(rule, current, completed_at)


def _is_after(occurrence: Occurrence, completed_at: datetime | None) -> bool:
    if completed_at is None:
        return True
    if occurrence.at is None:
        return occurrence.local.date() > completed_at.date()
    return occurrence.at > completed_at


def _completion(request: RecurrencePreviewRequest) -> datetime | None:
    after = request.after
    if after is None:
        return None
    if isinstance(after, datetime) != (request.due_at is not None):
        kind = "a date, as due_on is" if request.due_at is None else "an instant, as due_at is"
        raise _refusal("after", f"should be {kind}")
    return after if isinstance(after, datetime) else datetime.combine(after, time.min, UTC)


def _on(day: date, like: Occurrence, number: int) -> Occurrence | None:
    """Return the occurrence of a day; none if the clocks skip the day, or the calendar ends."""
    local = datetime.combine(day, like.local.time())
    if like.time_zone is None:
        return replace(like, local=local, number=number)
    at = _instant(local, like.time_zone)
    if at is None or _shown(at, like.time_zone, "due_at") - local >= timedelta(days=1):
        return None
    return replace(like, local=local, at=at, number=number)


def _instant(local: datetime, time_zone: str) -> datetime | None:
    try:
        # Of a time shown twice this is the first; one that is skipped moves on by the gap: PEP 495.
        return local.replace(tzinfo=_zone(time_zone), fold=0).astimezone(UTC)
    except OverflowError:
        return None


def _shown(instant: datetime, time_zone: str, field: str) -> datetime:
    try:
        return instant.astimezone(_zone(time_zone)).replace(tzinfo=None, fold=0)
    except OverflowError:
        raise _refusal(field, f"should be within the years 1 to 9999 in {time_zone}") from None


def _other_until(until: date | datetime, first: Occurrence) -> str:
    if isinstance(until, datetime):
        return f"should end on a date, as due_on is one: UNTIL={until_text(until.date())}"
    end = datetime.combine(until, time(23, 59, 59))
    instant = _instant(end, first.time_zone or "UTC") or end
    return f"should end at an instant in UTC, as due_at is one: UNTIL={until_text(instant)}"


def _refusal(field: str, detail: str) -> ValidationFailedError:
    return ValidationFailedError([ProblemField(detail=detail, pointer=f"#/{field}")])
