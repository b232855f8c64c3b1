"""Any order of writes leaves the server, a client in step with it and a plain model equal."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from devkit.mirror import Mirror, everything

TASKS = "/api/v1/tasks"
LEVELS = 5
ENOUGH = 4
LIMIT = 60
RUNS = settings(
    max_examples=12,
    stateful_step_count=25,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

ResultT = TypeVar("ResultT")
NUMBERS = st.integers(0, 99)
TITLES = st.text("abc", min_size=1, max_size=3)


@dataclass
class Node:
    """A task of the model; `trash` is the delete it went to the trash with."""

    title: str
    parent: str | None = None
    completed: bool = False
    trash: int | None = None


class Model:
    """What a user's tasks have to be."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.deletes = 0

    def below(self, task: str) -> Iterator[str]:
        """Yield a task and all under it."""
        yield task
        for each, node in self.nodes.items():
            if node.parent == task:
                yield from self.below(each)

    def level(self, task: str | None) -> int:
        return 0 if task is None else 1 + self.level(self.nodes[task].parent)

    def height(self, task: str) -> int:
        under = [each for each, node in self.nodes.items() if node.parent == task]
        return 1 + max(map(self.height, under), default=0)

    def is_live(self, task: str) -> bool:
        return task in self.nodes and self.nodes[task].trash is None

    def may_hold(self, parent: str | None, height: int) -> bool:
        return parent is None or (self.is_live(parent) and self.level(parent) + height <= LEVELS)

    def delete(self, task: str) -> None:
        self.deletes += 1
        for each in self.below(task):
            if self.nodes[each].trash is None:
                self.nodes[each].trash = self.deletes

    def restore(self, task: str) -> None:
        node = self.nodes[task]
        if node.trash is None:
            return
        if node.parent is not None and not self.is_live(node.parent):
            node.parent = None
        went = node.trash
        for each in self.below(task):
            if self.nodes[each].trash == went:
                self.nodes[each].trash = None

    def purge(self, task: str) -> None:
        for each in list(self.below(task)):
            del self.nodes[each]

    def shown(self) -> dict[str, tuple[Any, ...]]:
        """Return what everybody may see."""
        return {
            task: (node.title, node.completed, node.parent)
            for task, node in self.nodes.items()
            if node.trash is None
        }


class Tasks(RuleBasedStateMachine):
    """Writes of every kind, of one user; `client` and `loop` are the test's."""

    client: AsyncClient
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.mirror = Mirror(self.client)

    def wait(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(LIMIT)

    def send(self, method: str, path: str, body: object = None) -> Response:
        return self.wait(self.client.request(method, path, json=body))

    def pick(self, number: int) -> str:
        """Return a task that is or was there, or one that never was."""
        known = [*self.model.nodes, str(uuid4())]
        return known[number % len(known)]

    @initialize()
    def begin_with_a_tree(self) -> None:
        for _, task in self.wait(everything(self.client)):
            self.send("DELETE", f"{TASKS}/{task}")
        self.send("DELETE", "/api/v1/trash")
        parent = None
        for title in ("a", "b", "c"):
            self.add(title, parent)
            parent = next(reversed(self.model.nodes))

    @rule(title=TITLES, number=NUMBERS, nested=st.booleans())
    def create(self, title: str, number: int, nested: bool) -> None:
        self.add(title, self.pick(number) if nested else None)

    def add(self, title: str, parent: str | None) -> None:
        answer = self.send("POST", TASKS, {"title": title, "parent_id": parent})

        if self.model.may_hold(parent, 1):
            assert answer.status_code == 201
            self.model.nodes[answer.json()["id"]] = Node(title, parent)
        else:
            assert answer.status_code == 422

    @rule(number=NUMBERS, title=TITLES)
    def rename(self, number: int, title: str) -> None:
        task = self.pick(number)
        answer = self.send("PATCH", f"{TASKS}/{task}", {"title": title})

        assert answer.status_code == (200 if self.model.is_live(task) else 404)
        if self.model.is_live(task):
            self.model.nodes[task].title = title

    @rule(number=NUMBERS, completed=st.booleans())
    def complete(self, number: int, completed: bool) -> None:
        task = self.pick(number)
        answer = self.send("POST", f"{TASKS}/{task}/{'complete' if completed else 'reopen'}")

        assert answer.status_code == (200 if self.model.is_live(task) else 404)
        if self.model.is_live(task):
            self.model.nodes[task].completed = completed

    @rule(number=NUMBERS, under=NUMBERS, top=st.booleans())
    def move(self, number: int, under: int, top: bool) -> None:
        task, parent = self.pick(number), None if top else self.pick(under)
        answer = self.send("POST", f"{TASKS}/{task}/move", {"parent_id": parent})

        if not self.model.is_live(task):
            assert answer.status_code == 404
        elif parent not in set(self.model.below(task)) and self.model.may_hold(
            parent, self.model.height(task)
        ):
            assert answer.status_code == 200
            self.model.nodes[task].parent = parent
        else:
            assert answer.status_code == 422

    @rule(number=NUMBERS)
    def delete(self, number: int) -> None:
        task = self.pick(number)
        answer = self.send("DELETE", f"{TASKS}/{task}")

        assert answer.status_code == (204 if self.model.is_live(task) else 404)
        if self.model.is_live(task):
            self.model.delete(task)

    @rule(number=NUMBERS)
    def restore(self, number: int) -> None:
        task = self.pick(number)
        answer = self.send("POST", f"{TASKS}/{task}/restore")

        assert answer.status_code == (200 if task in self.model.nodes else 404)
        if task in self.model.nodes:
            self.model.restore(task)

    @rule(number=NUMBERS)
    def purge(self, number: int) -> None:
        task = self.pick(number)
        gone = task in self.model.nodes and not self.model.is_live(task)
        answer = self.send("DELETE", f"/api/v1/trash/{task}")

        assert answer.status_code == (204 if gone else 404)
        if gone:
            self.model.purge(task)

    # Generated as it comes, it would leave nothing to restore.
    @precondition(lambda self: sum(n.trash is not None for n in self.model.nodes.values()) > ENOUGH)
    @rule()
    def empty_the_trash(self) -> None:
        assert self.send("DELETE", "/api/v1/trash").status_code == 204
        for task in [each for each, node in self.model.nodes.items() if node.trash is not None]:
            if task in self.model.nodes:
                self.model.purge(task)

    @rule(title=TITLES, number=NUMBERS, atomic=st.booleans())
    def batch(self, title: str, number: int, atomic: bool) -> None:
        new, task = str(uuid4()), self.pick(number)
        operations = [
            {"op": "create", "id": new, "task": {"title": title}},
            {"op": "complete", "id": new},
            {"op": "delete", "id": task},
        ]
        found = self.model.is_live(task)
        answer = self.send("POST", "/api/v1/batch", {"atomic": atomic, "operations": operations})

        assert answer.status_code == (200 if found or not atomic else 404)
        if found or not atomic:
            self.model.nodes[new] = Node(title, completed=True)
        if found:
            self.model.delete(task)

    @invariant()
    def all_agree(self) -> None:
        self.wait(self.mirror.sync(limit=3))
        there = self.wait(everything(self.client))

        assert self.mirror.objects == there
        assert self.model.shown() == {
            task: (it["title"], it["completed"], it["parent_id"]) for (_, task), it in there.items()
        }


@pytest.mark.spec("SYNC-1", "SYNC-3", "SYNC-4", "SUB-2", "SUB-4", "SUB-5", "TRASH-3", "BATCH-3")
async def test_any_order_of_writes_leaves_all_sides_equal(alice: AsyncClient) -> None:
    machine = type("AliceTasks", (Tasks,), {"client": alice, "loop": asyncio.get_running_loop()})

    await asyncio.to_thread(run_state_machine_as_test, machine, settings=RUNS)
