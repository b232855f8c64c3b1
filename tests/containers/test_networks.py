"""Who reaches whom: asked from inside each container's network, over real connections."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from docker.models.containers import Container

from devkit.compose_system import SERVICES, ComposeSystem, describe

# What each listens on, what to say to it, and what its answer holds: some networks accept
# a connection to any address at all.
HEALTH = "GET /healthz HTTP/1.0\r\n\r\n", '{"status":"ok","failing":[]}'
DIALOGUES = {
    "gateway": (8000, *HEALTH),
    "auth-verifier": (8000, *HEALTH),
    "tasks": (8000, *HEALTH),
    "postgres": (5432, "\0\0\0\x10\0\3\0\0user\0x\0\0", "SCRAM-SHA-256"),
    "redis": (6379, "PING\r\nQUIT\r\n", "-NOAUTH"),
}
BANNER = "here I am"
WORK_TOGETHER = (
    {"gateway", "auth-verifier"},
    {"gateway", "tasks"},
    {"gateway", "redis"},
    {"tasks", "postgres"},
    {"tasks", "redis"},
)
PROBE = """
import json, socket, sys
def reached(host, port, say, expected):
    try:
        with socket.create_connection((host, port), 1.5) as connection:
            connection.sendall(say.encode("latin-1"))
            answer = b""
            while more := connection.recv(4096):
                answer += more
                if expected.encode() in answer:
                    return True
    except OSError:
        pass
    return False
print(json.dumps([reached(*target) for target in json.loads(sys.argv[1])]))
"""
# A veth pair: one end here, the other in the container with process id $1.
LAY_CABLE = """
ip link add $2 type veth
peer=$(ip -o link show $2 | sed "s/.*$2@\\([a-z0-9]*\\).*/\\1/")
ip link set $peer netns $1
ip addr add $3 dev $2
ip link set $2 up
"""
ANSWER_CABLE = """
end=$(ip -o link | grep -o 'veth[0-9a-z]*' | head -n 1)
ip addr add $1 dev $end
ip link set $end up
"""

Target = tuple[str, int, str, str]


@dataclass(frozen=True)
class FarAway:
    """A web server beyond this host, and the address at which it knows the host."""

    container: Container
    server: Target
    host: str


def reached(system: ComposeSystem, container: Container, targets: list[Target]) -> list[bool]:
    """Tell which targets are reached from where the container is."""
    said: bytes = system.engine.containers.run(
        system.image("tasks"),
        ["python", "-c", PROBE, json.dumps(targets)],
        network_mode=f"container:{container.id}",
        remove=True,
    )
    found: list[bool] = json.loads(said)
    return found


@pytest.fixture
def far_away(system: ComposeSystem) -> Iterator[FarAway]:
    """Give a place that is connected with this host, and knows no way further."""
    containers = system.engine.containers
    cable, net = f"tg{secrets.token_hex(4)}", f"198.18.{secrets.randbelow(256)}"
    server = containers.run(
        "busybox", ["nc", "-ll", "-p", "80", "-e", "echo", BANNER], network_mode="none", detach=True
    )
    try:
        pid = str(describe(server)["State"]["Pid"])
        containers.run(
            "busybox",
            ["sh", "-ec", LAY_CABLE, "sh", pid, cable, f"{net}.1/30"],
            network_mode="host",
            pid_mode="host",
            privileged=True,
            remove=True,
        )
        done = server.exec_run(["sh", "-ec", ANSWER_CABLE, "sh", f"{net}.2/30"], privileged=True)
        assert done.exit_code == 0, done.output
        yield FarAway(server, (f"{net}.2", 80, "", BANNER), f"{net}.1")
    finally:
        server.remove(force=True)


@pytest.fixture
async def port_on_the_host() -> AsyncIterator[int]:
    """Give the port of a server that listens at every address of this machine."""

    def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(BANNER.encode())
        writer.close()

    async with await asyncio.start_server(greet, "0.0.0.0", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.spec("CON-6")
def test_the_gateway_publishes_the_only_port_and_on_loopback(system: ComposeSystem) -> None:
    published = {}
    for name in SERVICES:
        ports = describe(system.container(name))["NetworkSettings"]["Ports"]
        published[name] = [binding for bindings in ports.values() for binding in bindings or []]

    assert published == {
        "gateway": [{"HostIp": "127.0.0.1", "HostPort": str(system.port)}],
        "auth-verifier": [],
        "tasks": [],
        "postgres": [],
        "redis": [],
    }


@pytest.mark.spec("CON-6")
def test_nothing_is_reached_from_beyond_the_host(system: ComposeSystem, far_away: FarAway) -> None:
    dialogues = [(system.port, *HEALTH), *DIALOGUES.values()]
    targets = [(far_away.host, *dialogue) for dialogue in dialogues]

    answers = reached(system, far_away.container, targets)

    assert not any(answers)


@pytest.mark.spec("CON-7")
@pytest.mark.parametrize("name", SERVICES)
def test_a_container_reaches_only_those_it_works_with(system: ComposeSystem, name: str) -> None:
    targets = [
        (other, (address, *DIALOGUES[other]))
        for other in SERVICES
        if other != name
        for address in system.addresses(other)
    ]

    answers = reached(system, system.container(name), [target for _, target in targets])

    found = {other for (other, _), yes in zip(targets, answers, strict=True) if yes}
    assert found == {other for other in SERVICES if {name, other} in WORK_TOGETHER}


@pytest.mark.spec("CON-7")
def test_only_the_verifier_gets_answers_from_beyond_the_host(
    system: ComposeSystem, far_away: FarAway
) -> None:
    answers = {
        name: reached(system, system.container(name), [far_away.server]) for name in SERVICES
    }
    found = {name for name, answer in answers.items() if answer == [True]}

    assert found == {"auth-verifier"}


@pytest.mark.spec("CON-7")
async def test_tasks_and_the_stores_reach_not_even_the_host(
    system: ComposeSystem, host: str, port_on_the_host: int
) -> None:
    async def reaches_the_host(name: str) -> bool:
        container = system.container(name)
        networks = container.attrs["NetworkSettings"]["Networks"]
        ids = [network["NetworkID"] for network in networks.values()]
        # The host's address on the bridge, or what would be.
        bridges = [system.engine.networks.get(one).attrs["IPAM"]["Config"][0] for one in ids]
        addresses = [host, *(bridge["Gateway"] for bridge in bridges)]
        targets = [(address, port_on_the_host, "", BANNER) for address in addresses]
        return any(await asyncio.to_thread(reached, system, container, targets))

    found = [name for name in SERVICES if await reaches_the_host(name)]

    assert found == ["gateway", "auth-verifier"]
