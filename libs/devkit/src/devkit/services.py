"""How the three services of a system are run: their commands, ports and environments."""

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from devkit.issuers_file import secret_variables
from devkit.ports import LOOPBACK, free_port
from devkit.process import Program
from devkit.readiness import answers_http

# Read by what every service is built on: logging, tracing, trusted certificates.
_EVERY_SERVICE = ("LOG_LEVEL", "ACCESS_LOG", "MAX_WAITING", "SSL_CERT_FILE", "SSL_CERT_DIR")
_EVERY_SERVICE_PREFIX = "OTEL_"
_VERIFIER = (
    "BETTER_AUTH_URL",
    "BETTER_AUTH_JWKS_URL",
    "BETTER_AUTH_ISSUERS",
    "BETTER_AUTH_AUDIENCES",
    "AUTH_ISSUERS_FILE",
    "AUTH_MAX_TOKEN_LIFETIME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
_TASKS = (
    "DATABASE_POOL_SIZE",
    "HOUSEKEEPING_SECONDS",
    "TASKS_WORKERS",
    "EVENTS_HEARTBEAT",
    "EVENTS_POLL",
)
_WORKERS = ("GATEWAY_WORKERS", "TASKS_WORKERS")
_METRICS_PORT = "METRICS_PORT"
# On one machine each service needs a port of its own: these come on top of METRICS_PORT.
_METRICS_STEPS = {"gateway": 0, "auth-verifier": 1, "tasks": 2}
_RATE_LIMITS = ("RATE_LIMIT_USER", "RATE_LIMIT_ADDRESS", "RATE_LIMIT_FAILURES")
# Tests are many requests from one address; those of the limits set them.
NO_LIMITS = dict.fromkeys(_RATE_LIMITS, "0")
_GATEWAY = (
    "GATEWAY_WORKERS",
    "CORS_ORIGINS",
    "EVENT_STREAMS",
    "HSTS_MAX_AGE",
    "BETTER_AUTH_COOKIE_PREFIX",
    "TRUSTED_PROXIES",
    "UNKNOWN_REVOCATION",
    "VERDICT_TTL_SECONDS",
    "VERDICT_MEMORY_ENTRIES",
    *_RATE_LIMITS,
    "UPSTREAM_TOTAL",
    "UPSTREAM_CONNECT",
    "UPSTREAM_POOL_WAIT",
    "UPSTREAM_REQUEST_BODY",
    "UPSTREAM_WRITE_STALL",
    "UPSTREAM_ANSWER_HEAD",
    "UPSTREAM_ANSWER_BODY",
)


@dataclass(frozen=True, slots=True)
class Services:
    """What the three services of one system have to agree on.

    `settings` holds the optional variables a developer may have set; each service gets those it
    reads and no other. `extra` adds variables by service name.
    """

    database_url: str
    redis_url: str
    auth_secret: str
    identity_key: str
    gateway_port: int
    public_url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    verifier_port: int = field(default_factory=free_port)
    tasks_port: int = field(default_factory=free_port)

    def verifier(self) -> Program:
        """Return how to run the auth-verifier.

        It counts as ready when it answers, whether or not the issuer does yet: a developer's
        frontend may well be started after us.
        """
        further = secret_variables(self.settings.get("AUTH_ISSUERS_FILE", ""))
        environment = {
            "BETTER_AUTH_SECRET": self.auth_secret,
            **self._optional(*_VERIFIER, *further),
        }
        return self._service("auth-verifier", "auth_verifier", self.verifier_port, environment)

    def tasks(self, name: str = "tasks", port: int | None = None) -> Program:
        """Return how to run the tasks service, its tables brought up to date first.

        A second one takes a name and a port of its own.
        """
        environment = {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "IDENTITY_KEY": self.identity_key,
            **self._optional(*_TASKS),
        }
        migrate = [sys.executable, "-m", "tasks_service.migrate"]
        return self._service(name, "tasks_service", port or self.tasks_port, environment, migrate)

    def gateway(
        self, name: str = "gateway", port: int | None = None, tasks_port: int | None = None
    ) -> Program:
        """Return how to run a gateway; a second one takes a name and a port of its own."""
        environment = {
            "TASKS_URL": url(tasks_port or self.tasks_port),
            "AUTH_VERIFIER_URL": url(self.verifier_port),
            "REDIS_URL": self.redis_url,
            "IDENTITY_KEY": self.identity_key,
            **self._optional(*_GATEWAY),
        }
        return self._service(name, "gateway_service", port or self.gateway_port, environment)

    def _service(
        self,
        name: str,
        package: str,
        port: int,
        environment: Mapping[str, str],
        before: list[str] | None = None,
    ) -> Program:
        shared = self._optional(*_EVERY_SERVICE) | {
            name: value
            for name, value in self.settings.items()
            if name.startswith(_EVERY_SERVICE_PREFIX)
        }
        given = {
            "PUBLIC_URL": self.public_url,
            **shared,
            **self._metrics_port(name),
            **environment,
            **self.extra.get(name, {}),
        }
        factory = f"{package}.main:create_app"
        workers = next((one for one in _WORKERS if one in given), "")
        return Program(
            name=name,
            command=serve(factory, port, workers),
            ready=answers_http(port, "/healthz"),
            environment=given,
            before=before,
            stop_signal=signal.SIGINT,  # It does not wait for idle connections.
        )

    def _metrics_port(self, name: str) -> dict[str, str]:
        first = self.settings.get(_METRICS_PORT)
        if not first or name not in _METRICS_STEPS:
            return {}
        # A value that is no number is left to the service, which names the mistake.
        port = str(int(first) + _METRICS_STEPS[name]) if first.isdigit() else first
        return {_METRICS_PORT: port}

    def _optional(self, *names: str) -> dict[str, str]:
        return {name: self.settings[name] for name in names if self.settings.get(name)}


def serve(factory: str, port: int, workers: str = "") -> list[str]:
    """Return the command that serves an app factory on a loopback port.

    It takes as many processes as the variable `workers` says, or one.
    """
    several = ["--workers-from", workers] if workers else []
    address = ["--host", LOOPBACK, "--port", str(port)]
    return [sys.executable, "-m", "service_kit.serve", factory, *several, *address]


def url(port: int) -> str:
    """Return the base URL of a port on loopback."""
    return f"http://{LOOPBACK}:{port}"
