"""How long each step of a forwarded request may take, and how long its means stay good."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamTimeouts:
    """Limits in seconds; every step of an exchange is under one of them.

    `total` is for all steps until the answer begins, but for those that wait for the client.

    `connect` covers finding and reaching an address, all attempts together. `pool_wait` is
    for a free connection. `request_body` is the client's silence within its body,
    `write_stall` a peer (upstream or client) that stops reading. `answer_head` starts when
    the request has been handed over; `answer_body` is the upstream's silence within its answer.
    """

    total: float = 40.0
    connect: float = 2.0
    pool_wait: float = 5.0
    request_body: float = 30.0
    write_stall: float = 30.0
    answer_head: float = 30.0
    answer_body: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How long connections and addresses are trusted, in seconds.

    A connection closes after `idle_timeout` unused: before uvicorn's own 5 s, so that no request
    meets a connection that is just being closed. It takes no more exchanges after `max_age` (less
    a jitter), so that new replicas get their share. The upstream's name is resolved again every
    `resolve_interval` while it is in use.
    """

    idle_timeout: float = 4.0
    max_age: float = 60.0
    resolve_interval: float = 5.0
