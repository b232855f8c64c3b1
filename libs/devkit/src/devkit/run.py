"""`python -m devkit.run`: the whole system on this machine, until Ctrl-C or SIGTERM."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine

from devkit.development_secrets import load_secrets
from devkit.errors import DevkitError
from devkit.output import Terminal
from devkit.ports import free_port, is_free
from devkit.postgres import PostgresCluster
from devkit.redis_server import RedisServer
from devkit.run_folder import RunFolder
from devkit.services import Services
from devkit.settings import Settings, read_settings
from devkit.supervisor import Supervisor
from devkit.token import make_token
from devkit.welcome import welcome

# Where the development servers of Next.js and Vite serve a frontend.
_FRONTENDS = "http://localhost:3000,http://localhost:5173"


def main() -> int:
    """Serve until told to end; return the exit code."""
    terminal = Terminal()
    try:
        asyncio.run(_serve(read_settings(os.environ), terminal))
    except (DevkitError, OSError) as error:  # OSError: a DATA_DIR we may not write to, a full disk.
        terminal.drain()
        print(f"taskgate: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(settings: Settings, terminal: Terminal) -> None:
    told_to_end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, told_to_end.set)
    folder = RunFolder(settings.data_dir / "run")
    folder.acquire()
    try:
        await _serve_from(settings, folder, terminal, told_to_end)
    finally:
        folder.release()


async def _serve_from(
    settings: Settings, folder: RunFolder, terminal: Terminal, told_to_end: asyncio.Event
) -> None:
    for name in await asyncio.to_thread(folder.end_leftovers):
        terminal.say(f"taskgate: ended {name}, left over from a run that was killed")
    if not is_free(settings.port):
        raise DevkitError(f"Port {settings.port} is in use: choose another, as in PORT=8090.")
    supervisor = Supervisor(
        folder, terminal, restart=True, say=lambda line: terminal.say(f"taskgate: {line}")
    )
    try:
        await _unless(told_to_end, _start(settings, supervisor, terminal))
        await told_to_end.wait()
    finally:
        terminal.say("taskgate: ending")
        await supervisor.stop_all()
        terminal.drain()


async def _start(settings: Settings, supervisor: Supervisor, terminal: Terminal) -> None:
    """Start everything, in the order in which each needs the one before."""
    kept = load_secrets(settings.data_dir, settings.environment)
    services = Services(
        database_url=settings.database_url or await _start_postgres(settings, supervisor, kept),
        redis_url=settings.redis_url or await _start_redis(settings, supervisor, kept),
        auth_secret=kept["BETTER_AUTH_SECRET"],
        identity_key=kept["IDENTITY_KEY"],
        gateway_port=settings.port,
        public_url=settings.public_url,
        settings={"CORS_ORIGINS": _FRONTENDS, **settings.environment},
    )
    for program in (services.verifier(), services.tasks(), services.gateway()):
        await supervisor.start(program)
    token = make_token(services.auth_secret, "alice")
    for line in welcome(settings.public_url, token, "this token is alice's, for a day"):
        terminal.say(line)


async def _start_postgres(settings: Settings, supervisor: Supervisor, kept: dict[str, str]) -> str:
    folder, password = settings.data_dir / "postgres", kept["DATABASE_PASSWORD"]
    cluster = PostgresCluster(folder, free_port(), password, durable=True)
    await cluster.prepare()
    await supervisor.start(cluster.program())
    return cluster.url()


async def _start_redis(settings: Settings, supervisor: Supervisor, kept: dict[str, str]) -> str:
    folder, password = settings.data_dir / "redis", kept["REDIS_PASSWORD"]
    redis = RedisServer(folder, free_port(), password, durable=True)
    redis.prepare()
    await supervisor.start(redis.program())
    return redis.url


async def _unless(told_to_end: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do the work, or leave it half done when told to end."""
    doing = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(told_to_end.wait())
    await asyncio.wait([doing, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not doing.done():
        doing.cancel()
        await asyncio.wait([doing])
    if not doing.cancelled():
        doing.result()


if __name__ == "__main__":
    sys.exit(main())
