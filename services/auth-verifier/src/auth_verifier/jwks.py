"""An issuer's keys over HTTP: fetched ahead of need, kept through outages, never in floods."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import structlog

from auth_verifier.errors import AuthUnavailableError
from auth_verifier.keys import Key, KeySet, parse_key_set
from service_kit.trace_context import traced

_OK = 200
_MAX_UNKNOWN = 1024
# Identity, because a small compressed body can hold a huge one.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}

_logger = structlog.get_logger(__name__)

Wanted = tuple[str | None, str]


class FetchError(Exception):
    """The issuer answered with something that is not its key set."""


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """When and how keys are fetched; times in seconds.

    `max_age` is the age at which a background refresh is complete, `stale_limit` how long keys
    outlive failing ones.
    """

    timeout: float = 3.0
    cool_down: float = 5.0
    max_age: float = 25.0
    stale_limit: float = 24 * 60 * 60.0
    max_bytes: int = 1024 * 1024


DEFAULT_POLICY = FetchPolicy()


class RemoteKeys:
    """The key set at one URL. Use inside `async with keys.kept_fresh()`.

    `on_fetch` is told of every fetch, and whether it succeeded.
    """

    def __init__(
        self,
        url: str,
        client: httpx.AsyncClient,
        policy: FetchPolicy = DEFAULT_POLICY,
        clock: Callable[[], float] = time.monotonic,
        on_fetch: Callable[[bool], object] = lambda _: None,
    ) -> None:
        self._url = url
        self._on_fetch = on_fetch
        self._client = client
        self._policy = policy
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        self._retry_at = 0.0
        self._fetch: asyncio.Task[bool] | None = None
        self._looking = False
        self._look_again_at = 0.0
        self._unknown: set[Wanted] = set()

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Fetch the keys now and again and again, off the path of any request."""
        refresh = asyncio.create_task(self._refresh_forever())
        try:
            yield
        finally:
            tasks = [task for task in (refresh, self._fetch) if task]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def version(self) -> str:
        """What tells these keys from any others; empty while there are none to rely on."""
        keys = self._good_keys()
        return keys.version if keys else ""

    async def check(self) -> None:
        """Raise `FetchError` if there are no keys to rely on (a readiness check)."""
        if self._good_keys() is None:
            raise FetchError("no keys have been fetched, or they are too old")

    async def named(self, kid: str | None, algorithm: str) -> tuple[Key, ...]:
        """Return the keys with this id (see `KeySet.named`); none if the issuer has none such.

        A key we do not hold may be new, so it costs a fetch; one a cool-down, whoever asks.
        Raises `AuthUnavailableError` if the issuer cannot be asked.
        """
        wanted = kid, algorithm
        if self._good_keys() is None:
            await self._fetch_for_caller()
        elif not self._held(wanted):
            await self._look_for(wanted)
        return self._held(wanted)

    def _good_keys(self) -> KeySet | None:
        age = self._clock() - self._fetched_at
        return self._keys if age <= self._policy.stale_limit else None

    def _held(self, wanted: Wanted) -> tuple[Key, ...]:
        keys = self._good_keys()
        if keys is None:
            raise AuthUnavailableError(self._retry_at - self._clock())
        return keys.named(*wanted)

    async def _look_for(self, wanted: Wanted) -> None:
        if self._fetch and not self._looking:
            # A refresh that began before the token came may have missed its key.
            await asyncio.shield(self._fetch)
            if self._held(wanted):
                return
        if not self._looking:
            if self._clock() < self._look_again_at:
                self._check_known_as_unknown(wanted)
                return
            self._check_retry()
            self._begin_look()
        await self._fetch_for_caller()
        if len(self._unknown) < _MAX_UNKNOWN and not self._held(wanted):
            self._unknown.add(wanted)

    def _check_known_as_unknown(self, wanted: Wanted) -> None:
        # A key that nobody looked for yet may exist: "unknown" would sign its users out.
        if wanted not in self._unknown:
            raise AuthUnavailableError(self._look_again_at - self._clock())

    def _begin_look(self) -> None:
        self._looking = True
        self._look_again_at = self._clock() + self._policy.cool_down
        self._unknown.clear()

    async def _fetch_for_caller(self) -> None:
        if not self._fetch:
            self._check_retry()
        # Shielded: one caller that hangs up must not end the fetch for the others.
        if not await asyncio.shield(self._shared_fetch()):
            raise AuthUnavailableError(self._retry_at - self._clock())

    def _check_retry(self) -> None:
        if self._clock() < self._retry_at:
            raise AuthUnavailableError(self._retry_at - self._clock())

    def _shared_fetch(self) -> "asyncio.Task[bool]":
        if not self._fetch:
            self._fetch = asyncio.create_task(self._fetch_keys())
        return self._fetch

    async def _fetch_keys(self) -> bool:
        try:
            with traced("fetch keys"):
                document = await self._download()
            # A full document can hold thousands of keys; reading them must not stop the loop.
            self._keys = await asyncio.to_thread(parse_key_set, document)
        except Exception as error:  # noqa: BLE001 - whatever it is, the keys could not be had.
            self._retry_at = self._clock() + self._policy.cool_down
            _logger.warning("keys_fetch_failed", error=type(error).__name__, reason=str(error))
            self._on_fetch(False)  # noqa: FBT003 - a callback's one argument.
            return False
        else:
            self._fetched_at = self._clock()
            self._on_fetch(True)  # noqa: FBT003 - a callback's one argument.
            return True
        finally:
            self._fetch = None
            self._looking = False

    async def _download(self) -> bytes:
        body = bytearray()
        # httpx limits each read, not the whole answer: one byte a second would never end.
        async with (
            asyncio.timeout(self._policy.timeout),
            self._client.stream("GET", self._url, headers=_HEADERS) as response,
        ):
            if response.status_code != _OK:
                raise FetchError(f"the answer is {response.status_code}, not 200")
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > self._policy.max_bytes:
                    raise FetchError(f"the answer is larger than {self._policy.max_bytes} bytes")
        return bytes(body)

    async def _refresh_forever(self) -> None:
        while True:
            fetched = await asyncio.shield(self._shared_fetch())
            await asyncio.sleep(self._pause() if fetched else self._policy.cool_down)

    def _pause(self) -> float:
        # Jitter, so that many verifiers do not call in step; a fifth is left for the fetch itself.
        return self._policy.max_age * random.uniform(0.7, 0.8)  # noqa: S311 - no secret.
