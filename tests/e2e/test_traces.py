"""One trace a request across all three services, as a collector on loopback gets it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest
from httpx import AsyncClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from devkit.forge import Forge, SigningKey
from devkit.ports import free_port
from devkit.pytest_plugin import CreateDatabase
from devkit.stack import Stack, running_stack

TASKS = "/api/v1/tasks"
LIMIT = 30


@dataclass
class Span:
    """A span as it arrived."""

    service: str
    name: str
    id: bytes
    parent: bytes
    attributes: dict[str, str]


@dataclass
class Collector:
    """Takes spans by OTLP over HTTP."""

    url: str = ""
    spans: dict[str, list[Span]] = field(default_factory=dict)
    raw: list[bytes] = field(default_factory=list)
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split()[0])
                await self._take(await reader.readexactly(length))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _take(self, body: bytes) -> None:
        self.raw.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {a.key: a.value.string_value for a in resource.resource.attributes}
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                attributes = {a.key: str(a.value) for a in span.attributes}
                taken = Span(
                    names["service.name"], span.name, span.span_id, span.parent_span_id, attributes
                )
                self.spans.setdefault(span.trace_id.hex(), []).append(taken)
        async with self._more:
            self._more.notify_all()

    async def trace(self, trace_id: str, *names: str) -> dict[str, Span]:
        """Return the spans of a trace by name, once all that are named have come."""

        def have() -> dict[str, Span]:
            return {f"{span.service} {span.name}": span for span in self.spans.get(trace_id, [])}

        async with asyncio.timeout(LIMIT), self._more:
            await self._more.wait_for(lambda: set(names) <= set(have()))
        return have()


@pytest.fixture(scope="module")
async def collector() -> AsyncIterator[Collector]:
    collector = Collector()
    async with await asyncio.start_server(collector.answer, "127.0.0.1", 0) as server:
        collector.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield collector
        server.close()


@pytest.fixture(scope="module")
async def system(
    collector: Collector, create_database: CreateDatabase, redis_url: str, issuer_url: str
) -> AsyncIterator[Stack]:
    """Give a system that is traced; the collector of its second gateway is away."""
    sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    environment = {
        "gateway": sent,
        "gateway-2": {**sent, **away},
        "tasks": sent,
        "auth-verifier": {**sent, "BETTER_AUTH_URL": issuer_url},
    }
    async with running_stack(
        database_url=await create_database(),
        redis_url=redis_url,
        environment=environment,
        gateways=2,
    ) as running:
        yield running


def lineage(spans: Mapping[str, Span], name: str) -> list[str]:
    """Return the names from a span up to the one the client named."""
    by_id = {span.id: key for key, span in spans.items()}
    found = [name]
    while (parent := spans[found[-1]].parent) in by_id:
        found.append(by_id[parent])
    return found


@pytest.mark.spec("OBS-11", "OBS-12")
async def test_a_request_is_one_trace_from_the_client_to_the_statement(
    system: Stack, collector: Collector
) -> None:
    trace_id, user, title = secrets.token_hex(16), f"u{secrets.token_hex(8)}", secrets.token_hex(8)
    headers = {**system.headers(user), "traceparent": f"00-{trace_id}-{'1' * 16}-01"}
    async with AsyncClient(base_url=system.url, headers=headers, trust_env=False) as client:
        answer = await client.post(f"{TASKS}?", json={"title": title})

    forwarded = [
        f"taskgate-tasks POST {TASKS}",
        "taskgate-gateway forward",
        f"taskgate-gateway POST {TASKS}",
    ]
    verified = [
        "taskgate-auth-verifier judge",
        "taskgate-auth-verifier POST /internal/v1/verify",
        "taskgate-gateway verify",
        f"taskgate-gateway POST {TASKS}",
    ]
    statements = [f"taskgate-tasks {name}" for name in ("BEGIN", "INSERT", "COMMIT")]
    spans = await collector.trace(trace_id, *forwarded, *verified, *statements)
    assert answer.status_code == 201
    for statement in statements:
        assert lineage(spans, statement) == [statement, *forwarded]
    assert lineage(spans, verified[0]) == verified
    assert spans[forwarded[-1]].parent.hex() == "1" * 16
    sent = b"".join(collector.raw)
    assert user.encode() not in sent
    assert title.encode() not in sent


@pytest.mark.spec("OBS-11")
async def test_a_fetch_of_keys_belongs_to_the_request_that_needed_it(
    system: Stack, collector: Collector, issuer_url: str, issuer_keys: Mapping[str, SigningKey]
) -> None:
    trace_id = secrets.token_hex(16)
    token = Forge(issuer_url, issuer_keys).token("EdDSA", {"kid": secrets.token_hex(8)})
    headers = {
        "Authorization": f"Bearer {token}",
        "traceparent": f"00-{trace_id}-{'1' * 16}-01",
    }
    async with AsyncClient(base_url=system.url, headers=headers, trust_env=False) as client:
        await client.get(TASKS)

    fetched = [
        "taskgate-auth-verifier fetch keys",
        "taskgate-auth-verifier judge",
        "taskgate-auth-verifier POST /internal/v1/verify",
        "taskgate-gateway verify",
        "taskgate-gateway GET /api/{path}",
    ]
    spans = await collector.trace(trace_id, *fetched)
    assert lineage(spans, fetched[0]) == fetched


@pytest.mark.spec("OBS-11")
async def test_what_a_client_does_not_want_recorded_is_not(
    system: Stack, collector: Collector
) -> None:
    unwanted, wanted = secrets.token_hex(16), secrets.token_hex(16)
    async with AsyncClient(base_url=system.url, trust_env=False) as client:
        for trace_id, flags in ((unwanted, "00"), (wanted, "01")):
            parent = {"traceparent": f"00-{trace_id}-{'1' * 16}-{flags}"}
            await client.get(TASKS, headers={**system.headers("alice"), **parent})

    await collector.trace(wanted, f"taskgate-gateway GET {TASKS}")
    assert unwanted not in collector.spans


@pytest.mark.spec("OBS-14")
async def test_a_collector_that_is_away_costs_no_request_anything(system: Stack) -> None:
    async with AsyncClient(base_url=system.urls[1], trust_env=False) as client:
        answers = [await client.get(TASKS, headers=system.headers("alice")) for _ in range(5)]

    assert {answer.status_code for answer in answers} == {200}
