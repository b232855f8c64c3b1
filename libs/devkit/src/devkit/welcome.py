"""What a person who has just started a system is told."""

import shlex


def welcome(url: str, token: str, whose: str) -> list[str]:
    """Return lines that say where everything is and how to use it, ready to be pasted."""
    authorization = f"Authorization: Bearer {token}"
    tasks = f"{url}/api/v1/tasks"
    body = '{"title": "Write to Ada"}'
    json_body = ["-H", "Content-Type: application/json", "-d", body]
    create = shlex.join(["curl", "-sS", "-H", authorization, *json_body, tasks])
    show = shlex.join(["curl", "-sS", "-H", authorization, tasks])
    return [
        "",
        f"Gateway   {url}",
        f"Docs      {url}/docs",
        f"Create a task and list it ({whose}):",
        f"{create} && echo && {show} && echo",
        "",
    ]
