"""`python -m benchmarks.system`: Taskgate beside its peers, all in one run.

First the gateways alone, in front of an upstream that costs next to nothing; then whole systems on
one PostgreSQL.
"""

import asyncio
import platform
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pygal
from httpx import AsyncClient

from benchmarks.load import CONNECTIONS, Request, generator
from benchmarks.measuring import Cost, Served, latencies, measure_in_turns, middle, ratio
from benchmarks.peers.programs import haproxy, nginx, python, require_packages
from benchmarks.processes import RESULTS, Fleet, fleet, machine
from benchmarks.seeding import seed, signed
from devkit.ports import free_port
from devkit.servers import fast_cluster, fast_redis
from devkit.services import Services, url
from devkit.token import make_token

USERS, TASKS = 20, 200
ROUNDS = 5
SECONDS = 3.0
LIST = "/api/v1/tasks?limit=20"
_OF_TWO = "Taskgate, two workers each"
_TWICE = "Taskgate, twice at once"
# Each request is counted, and none refused.
_LIMITS = {"RATE_LIMIT_USER": "1000000"}
_REPORT = """# Taskgate beside its peers

`make bench`: {connections} connections, the median of {rounds} turns of {seconds:g} s each, load by {generator}; one process
each. {machine}, Python {python}. CPU time per request is that of the processes that serve it, without PostgreSQL and Redis,
which is what to compare: the others depend on what else the machine does.

## Forwarding with a cached verdict
A list of 20 tasks ({size:.1f} kB) from an upstream that costs next to nothing. Goals: at most 2.5 times nginx, at most 1/25 of
the usual gateway.

{forwarding}

![CPU time of forwarding](forwarding.svg)

## The whole system
20 of {tasks} tasks each of {users} users with a token each, from PostgreSQL. Goals: at most 1/5 of the monolith; p99 at most four
times p50; with two workers at most 1.1 times the CPU time of one.

{whole}

Of Taskgate's: {parts}. With two workers of gateway and tasks a request costs {two:.2f} times that. Twice at once is two
separate systems of one worker each at the same time, with half of the connections each: {twice:.2f} times, whoever serves. Two workers
cost {rest:.2f} times these.

![CPU time of the whole system](system.svg)
"""  # noqa: E501 - lines of Markdown


async def main() -> None:
    """Measure, write the tables and plots, and print the tables."""
    require_packages()
    async with fleet() as running:
        cluster, redis = fast_cluster(running.folder), fast_redis(running.folder)
        await cluster.prepare()
        redis.prepare()
        await running.start(cluster.program())
        await running.start(redis.program())
        services = Services(
            database_url=cluster.url(),
            redis_url=redis.url,
            auth_secret=secrets.token_hex(32),
            identity_key=secrets.token_hex(32),
            gateway_port=free_port(),
            public_url="http://localhost:8080",
            settings=_LIMITS,
        )
        await running.start(services.verifier())
        await running.start(services.tasks())
        await seed(cluster.url(), USERS, TASKS)
        size = await _save_list(running, services)
        forwarding = await measure_forwarding(running, services)
        whole = await measure_systems(running, services)
    report(size, forwarding, whole)


Measured = tuple[Mapping[str, Served], Mapping[str, Sequence[Cost]], Mapping[str, float]]


async def measure_forwarding(running: Fleet, services: Services) -> Measured:
    """Let each gateway forward the same list to one user."""
    upstream_port, secret = free_port(), services.auth_secret
    values = {"upstream_port": upstream_port, "verdict_port": upstream_port, "secret": secret}
    await running.start(
        nginx("upstream", "upstream.conf", running.folder, {**values, "port": upstream_port})
    )
    ports = {name: free_port() for name in ("nginx", "haproxy", "gateway")}
    await running.start(
        nginx("nginx", "nginx.conf", running.folder, {**values, "port": ports["nginx"]})
    )
    await running.start(haproxy(running.folder, {**values, "port": ports["haproxy"]}))
    usual, ports["usual gateway"] = python(
        "usual gateway",
        "usual_gateway",
        {
            "TASKS_URL": f"http://127.0.0.1:{upstream_port}",
            "REDIS_URL": services.redis_url,
            "BETTER_AUTH_SECRET": secret,
        },
    )
    await running.start(usual)
    forwarding = Services(
        database_url=services.database_url,
        redis_url=services.redis_url,
        auth_secret=secret,
        identity_key=services.identity_key,
        gateway_port=ports["gateway"],
        public_url=services.public_url,
        settings=_LIMITS,
        verifier_port=services.verifier_port,
        tasks_port=upstream_port,
    )
    await running.start(forwarding.gateway())
    requests = [_request(services, "user-1")]
    served = {name: Served([name], port, requests) for name, port in ports.items()}
    return await _measured(running, served)


async def measure_systems(running: Fleet, services: Services) -> Measured:
    """Let each system list the tasks of many users."""
    await running.stop("gateway")
    await running.start(services.gateway())
    environment = {
        "DATABASE_URL": services.database_url,
        "BETTER_AUTH_SECRET": services.auth_secret,
    }
    several = replace(
        services,
        extra={"gateway of two": {"GATEWAY_WORKERS": "2"}, "tasks of two": {"TASKS_WORKERS": "2"}},
    )
    two_tasks_port, two_port = free_port(), free_port()
    await running.start(several.tasks("tasks of two", two_tasks_port))
    await running.start(several.gateway("gateway of two", two_port, two_tasks_port))
    twin_tasks_port, twin_port = free_port(), free_port()
    await running.start(services.tasks("twin tasks", twin_tasks_port))
    await running.start(services.gateway("twin gateway", twin_port, twin_tasks_port))
    monolith, monolith_port = python("monolith", "monolith", environment)
    floor, floor_port = python("floor", "floor", environment)
    await running.start(monolith)
    await running.start(floor)
    users = [f"user-{number}" for number in range(1, USERS + 1)]
    requests = [_request(services, user) for user in users]
    believed = [Request(LIST, {"X-User-Id": user}) for user in users]
    one = ["gateway", "tasks", "auth-verifier"]
    both = [*one, "twin gateway", "twin tasks"]
    served = {
        "floor": Served(["floor"], floor_port, believed),
        "monolith": Served(["monolith"], monolith_port, requests),
        "Taskgate": Served(one, services.gateway_port, requests),
        _TWICE: Served(both, services.gateway_port, requests, twin_port),
        _OF_TWO: Served(["gateway of two", "tasks of two", "auth-verifier"], two_port, requests),
    }
    return await _measured(running, served)


async def _measured(running: Fleet, served: Mapping[str, Served]) -> Measured:
    costs = await measure_in_turns(running, served, rounds=ROUNDS, seconds=SECONDS)
    memory = {
        name: sum(running.memory_mib(program) for program in each.programs)
        for name, each in served.items()
    }
    return served, costs, memory


def _request(services: Services, user_id: str) -> Request:
    token = make_token(services.auth_secret, user_id)
    return Request(LIST, {"Authorization": f"Bearer {token}"})


async def _save_list(running: Fleet, services: Services) -> int:
    """Keep a list as the tasks service answers it, for the upstream; return its size."""
    headers = signed("user-1", services.identity_key)
    async with AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{url(services.tasks_port)}{LIST}", headers=headers)
    (running.folder / "list.json").write_bytes(answer.raise_for_status().content)
    return len(answer.content)


def report(size: int, forwarding: Measured, whole: Measured) -> None:
    """Write the tables and the plots, and print the tables."""
    text = _REPORT.format(
        connections=CONNECTIONS,
        rounds=ROUNDS,
        seconds=SECONDS,
        generator=generator(),
        machine=machine(),
        python=platform.python_version(),
        size=size / 1000,
        users=USERS,
        tasks=TASKS,
        forwarding=_table(forwarding, "nginx"),
        whole=_table(whole, "monolith"),
        parts=_parts(whole, "Taskgate"),
        two=_times(whole, _OF_TWO, "Taskgate"),
        twice=_times(whole, _TWICE, "Taskgate"),
        rest=_times(whole, _OF_TWO, _TWICE),
    )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "system.md").write_text(text)
    _plot(forwarding, "forwarding.svg")
    _plot(whole, "system.svg")
    print(text)


def _table(measured: Measured, against: str) -> str:
    served, costs, memory = measured
    lines = [
        f"| | CPU per request | against {against} | per second | p50 | p99 | p99/p50 | memory |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, each in costs.items():
        spent = middle(each, served[name].spent)
        times = _times(measured, name, against)
        p50, p99 = latencies(each)
        per_second = middle(each, lambda cost: cost.load.per_second)
        lines.append(
            f"| {name} | {spent:,.0f} µs | {times:.2f} | {per_second:,.0f} "
            f"| {p50:.1f} ms | {p99:.1f} ms | {p99 / p50:.1f} | {memory[name]:.0f} MiB |"
        )
    return "\n".join(lines)


def _times(measured: Measured, name: str, against: str) -> float:
    served, costs, _ = measured
    return ratio(costs[name], served[name], costs[against], served[against])


def _parts(measured: Measured, name: str) -> str:
    served, costs, _ = measured
    parts = {
        program: middle(costs[name], lambda cost, program=program: cost.spent[program])  # type: ignore[misc]
        for program in served[name].programs
    }
    return ", ".join(f"{program} {spent:,.0f} µs" for program, spent in parts.items())


def _plot(measured: Measured, file: str) -> None:
    served, costs, _ = measured
    chart = pygal.HorizontalBar(show_legend=False, print_values=True, height=300, js=[])
    chart.title = "CPU time per request, µs"
    chart.x_labels = list(costs)
    chart.add("µs", [round(middle(costs[name], of.spent)) for name, of in served.items()])
    chart.render_to_file(str(RESULTS / file))


if __name__ == "__main__":
    asyncio.run(main())
