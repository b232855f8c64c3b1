"""Any order of writes leaves the server, a client in step with it and a plain model equal."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator
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
from tasks_service.priority import Priority

TASKS, LISTS, TAGS = "/api/v1/tasks", "/api/v1/lists", "/api/v1/tags"
PATHS = {"task": TASKS, "list": LISTS, "tag": TAGS}
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
NAMES = st.sampled_from("abc")
TAGGED = st.lists(NAMES, max_size=2, unique=True)


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
        self.come_back(went, self.below(task))

    def come_back(self, went: int, tasks: Iterable[str]) -> None:
        """Take out of the trash those of the tasks that went there together."""
        for each in tasks:
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
        self.lists: dict[str, int | None] = {}

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
        for kind, each in self.wait(everything(self.client)):
            self.send("DELETE", f"{PATHS[kind]}/{each}")
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

    @rule(number=NUMBERS, tags=TAGGED, priority=st.sampled_from(list(Priority)))
    def sort_out(self, number: int, tags: list[str], priority: str) -> None:
        task = self.pick(number)
        answer = self.send("PATCH", f"{TASKS}/{task}", {"tags": tags, "priority": priority})

        assert answer.status_code == (200 if self.model.is_live(task) else 404)

    @rule(number=NUMBERS, name=st.none() | NAMES)
    def rename_or_delete_a_tag(self, number: int, name: str | None) -> None:
        tags = self.send("GET", TAGS).json()["items"]
        if tags:
            path = f"{TAGS}/{tags[number % len(tags)]['id']}"
            if name is None:
                assert self.send("DELETE", path).status_code == 204
            else:
                assert self.send("PATCH", path, {"name": name}).status_code == 200

    @rule(number=NUMBERS)
    def begin_a_list(self, number: int) -> None:
        """Create a list with a task, and what is under it, in it."""
        tops = [
            task
            for task, node in self.model.nodes.items()
            if node.trash is None and node.parent is None
        ]
        if tops:
            created = self.send("POST", LISTS, {"name": "x"}).json()["id"]
            path = f"{TASKS}/{tops[number % len(tops)]}"
            assert self.send("PATCH", path, {"list_id": created}).status_code == 200
            self.lists[created] = None

    @precondition(lambda self: self.lists)
    @rule(number=NUMBERS, keep=st.booleans())
    def delete_or_restore_a_list(self, number: int, keep: bool) -> None:
        each = list(self.lists)[number % len(self.lists)]
        went = self.lists[each]
        if went is not None:
            assert self.send("POST", f"{LISTS}/{each}/restore").status_code == 200
            self.model.come_back(went, self.model.nodes)
            self.lists[each] = None
            return
        inside = self.send("GET", f"{TASKS}?list_id={each}").json()["items"]
        path = f"{LISTS}/{each}?keep_tasks={str(keep).lower()}"
        assert self.send("DELETE", path).status_code == 204
        self.model.deletes += 1
        self.lists[each] = self.model.deletes
        for task in [] if keep else inside:
            self.model.nodes[task["id"]].trash = self.model.deletes

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
        self.lists = {each: went for each, went in self.lists.items() if went is None}
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
        tasks = {each: found for (kind, each), found in there.items() if kind == "task"}

        assert self.mirror.objects == there
        assert self.model.shown() == {
            task: (it["title"], it["completed"], it["parent_id"]) for task, it in tasks.items()
        }
        self.numbers_agree(list(tasks.values()))

    def numbers_agree(self, tasks: list[Any]) -> None:
        tags = self.send("GET", TAGS).json()["items"]
        stats = self.send("GET", "/api/v1/stats").json()
        open_ones = [task for task in tasks if not task["completed"]]
        homes, open_homes = (Counter(t["list_id"] for t in each) for each in (tasks, open_ones))

        given = Counter(tag for task in tasks for tag in task["tags"])
        assert {tag["name"]: tag["task_count"] for tag in tags if tag["task_count"]} == given
        assert (stats["open"], stats["open"] + stats["completed"]) == (len(open_ones), len(tasks))
        priorities = Counter(task["priority"] for task in open_ones)
        assert stats["by_priority"] == dict.fromkeys(Priority, 0) | priorities
        by_list = {each.pop("list_id"): each for each in stats["by_list"]}
        assert by_list == {
            home: {"open": open_homes[home], "completed": number - open_homes[home]}
            for home, number in homes.items()
        }


@pytest.mark.spec(
    "SYNC-1",
    "SYNC-3",
    "SYNC-4",
    "SUB-2",
    "SUB-4",
    "SUB-5",
    "TRASH-3",
    "BATCH-3",
    "STAT-1",
    "TAG-1",
    "SPEED-4",
)
async def test_any_order_of_writes_leaves_all_sides_equal(alice: AsyncClient) -> None:
    machine = type("AliceTasks", (Tasks,), {"client": alice, "loop": asyncio.get_running_loop()})

    await asyncio.to_thread(run_state_machine_as_test, machine, settings=RUNS)
