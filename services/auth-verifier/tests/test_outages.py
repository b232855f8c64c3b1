"""Issuers that do not answer with their keys: refused to believe, lived through."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

MakeToken = Callable[..., str]
Verify = Callable[[str], Awaitable[Response]]

ONE_DAY = 24 * 60 * 60


def codes(*responses: Response) -> list[str | int]:
    return [
        response.status_code if response.is_success else response.json()["code"]
        for response in responses
    ]


def assert_unavailable(response: Response) -> None:
    assert (response.status_code, response.json()["code"]) == (503, "auth_unavailable")
    assert 1 <= int(response.headers["retry-after"]) <= 5


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


NO_KEY_SET = {
    "error page": answer(b"<html>502</html>", status="502 Bad Gateway"),
    "no content": answer(b"", status="204 No Content"),
    "HTML": answer(b"<!doctype html><title>Sign in</title>", "content-type: text/html"),
    "nothing": answer(b""),
    "no JSON": answer(b'{"keys":'),
    "a list": answer(b"[]"),
    "no keys": answer(b"{}"),
    "keys of another type": answer(b'{"keys":{}}'),
    "empty": answer(b'{"keys":[]}'),
    "no usable key": answer(b'{"keys":[{"kty":"oct","k":"AAAA"},1]}'),
    "deep": answer(b'{"keys":' + b"[" * 100_000),
    "cut short": b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"keys":',
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "hang-up": b"",
}


@pytest.mark.spec("AUTH-15", "ERR-1")
@pytest.mark.parametrize("data", NO_KEY_SET.values(), ids=NO_KEY_SET.keys())
async def test_without_a_key_set_a_cold_verifier_is_unavailable(
    start: Any, issuer: Any, token: MakeToken, data: bytes
) -> None:
    issuer.answer = data
    verify = await start()

    assert_unavailable(await verify(token("EdDSA")))


@pytest.mark.spec("AUTH-15")
@pytest.mark.parametrize("status", ["201 Created", "206 Partial Content", "404 Gone", "503 Down"])
async def test_good_keys_under_a_status_other_than_200_are_not_believed(
    start: Any, issuer: Any, keys: Any, token: MakeToken, status: str
) -> None:
    issuer.answer = answer(json.dumps({"keys": [keys["EdDSA"].jwk()]}).encode(), status=status)
    verify = await start()

    assert_unavailable(await verify(token("EdDSA")))


@pytest.mark.spec("AUTH-15")
async def test_a_key_set_of_1_mib_is_read_and_a_larger_one_is_not(
    start: Any, issuer: Any, keys: Any, token: MakeToken
) -> None:
    document = json.dumps({"keys": [keys["EdDSA"].jwk()]}).encode()
    issuer.answer = answer(document.ljust(1024 * 1024))
    largest = await (await start())(token("EdDSA"))
    issuer.answer = answer(document.ljust(1024 * 1024 + 1))

    larger = await (await start())(token("EdDSA"))

    assert codes(largest) == [200]
    assert_unavailable(larger)


@pytest.mark.spec("AUTH-15")
async def test_a_compressed_key_set_is_not_unpacked(
    start: Any, issuer: Any, keys: Any, token: MakeToken
) -> None:
    document = json.dumps({"keys": [keys["EdDSA"].jwk()]}).encode()
    issuer.answer = answer(gzip.compress(document), "content-encoding: gzip")
    verify = await start()

    assert_unavailable(await verify(token("EdDSA")))


@pytest.mark.spec("AUTH-15")
async def test_a_redirect_is_not_followed(start: Any, issuer: Any, token: MakeToken) -> None:
    issuer.answer = answer(b"", f"location: {issuer.url}/elsewhere", status="302 Found")
    verify = await start()

    assert_unavailable(await verify(token("EdDSA")))
    assert issuer.paths == ["/jwks"]


@pytest.mark.spec("AUTH-15")
async def test_an_issuer_that_does_not_answer_in_time_is_unavailable(
    start: Any, issuer: Any, token: MakeToken
) -> None:
    issuer.open.clear()
    verify = await start(policy={"timeout": 0.1})

    assert_unavailable(await verify(token("EdDSA")))


@pytest.mark.spec("AUTH-15")
async def test_an_issuer_that_answers_byte_by_byte_is_unavailable(
    start: Any, issuer: Any, token: MakeToken
) -> None:
    issuer.drips = True
    verify = await start(policy={"timeout": 0.3})

    assert_unavailable(await verify(token("EdDSA")))


@pytest.mark.spec("AUTH-15")
async def test_while_the_issuer_is_down_shared_secret_tokens_still_work(
    start: Any, issuer: Any, token: MakeToken
) -> None:
    await issuer.stop()
    verify = await start()

    by_key, by_secret = await verify(token("EdDSA")), await verify(token())

    assert_unavailable(by_key)
    assert codes(by_secret) == [200]


@pytest.mark.spec("AUTH-15")
async def test_a_failing_issuer_is_asked_once_per_cool_down_and_then_found_again(
    start: Any, issuer: Any, token: MakeToken, clock: Any
) -> None:
    good, issuer.answer = issuer.answer, answer(b"", status="500 Oops")
    verify = await start()

    failing = [await verify(token("EdDSA")) for _ in range(3)]
    asked = len(issuer.paths)
    issuer.answer = good
    clock.monotonic += int(failing[-1].headers["retry-after"])
    recovered = await verify(token("EdDSA"))

    assert codes(*failing, recovered) == [*["auth_unavailable"] * 3, 200]
    assert (asked, len(issuer.paths)) == (1, 2)


@pytest.mark.spec("AUTH-14", "AUTH-15")
async def test_an_unknown_kid_is_unavailable_while_the_issuer_fails(
    verify: Verify, issuer: Any, token: MakeToken, new_key: Any, clock: Any
) -> None:
    rotated = new_key("rotated")
    await verify(token("EdDSA"))
    issuer.answer = answer(b"", status="500 Oops")

    failing = [await verify(token(rotated)) for _ in range(3)]
    known = await verify(token("EdDSA"))
    issuer.publish(rotated.jwk())
    clock.monotonic += 5
    recovered = await verify(token(rotated))

    assert codes(*failing, known, recovered) == [*["auth_unavailable"] * 3, 200, 200]
    assert len(issuer.paths) == 3


@pytest.mark.spec("AUTH-15")
@pytest.mark.parametrize("data", NO_KEY_SET.values(), ids=NO_KEY_SET.keys())
async def test_a_failed_refresh_keeps_good_keys_for_a_day_and_no_longer(
    start: Any, issuer: Any, token: MakeToken, clock: Any, data: bytes
) -> None:
    verify = await start(policy={"max_age": 0.02, "cool_down": 0.1})
    await verify(token("EdDSA"))
    issuer.answer = data
    # The second one from here on began after the first had failed.
    await issuer.asked(len(issuer.paths) + 2)

    clock.monotonic += ONE_DAY
    within = await verify(token("EdDSA"))
    clock.monotonic += 1
    beyond = await verify(token("EdDSA"))

    assert codes(within, beyond) == [200, "auth_unavailable"]


@pytest.mark.spec("AUTH-15")
@pytest.mark.parametrize("data", NO_KEY_SET.values(), ids=NO_KEY_SET.keys())
async def test_without_a_key_set_a_warm_verifier_goes_on(
    start: Any, issuer: Any, token: MakeToken, data: bytes
) -> None:
    verify = await start({"max_age": 0.01, "cool_down": 0.01})
    await verify(token("EdDSA"))
    issuer.answer = data
    # The refresh under way may still get the keys; those after it do not.
    await issuer.asked(len(issuer.paths) + 3)

    assert codes(await verify(token("EdDSA"))) == [200]


@pytest.mark.spec("AUTH-52")
async def test_an_issuer_that_hangs_holds_up_no_other(
    start: Any, other_issuer: Any, token: MakeToken, new_key: Any, tmp_path: Path
) -> None:
    path = tmp_path / "two.toml"
    path.write_text(f'[other]\niss = ["https://other"]\njwks_url = "{other_issuer.url}/jwks"\n')
    other_issuer.open.clear()
    verify = await start(auth_issuers_file=path)
    waiting = asyncio.create_task(verify(token("EdDSA", iss="https://other", aud=...)))
    await other_issuer.asked(1)

    good, unknown = await verify(token("EdDSA")), await verify(token(new_key("unknown")))

    assert codes(good, unknown) == [200, "token_invalid"]
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])


@pytest.mark.spec("AUTH-52")
async def test_a_search_at_one_issuer_starts_no_cool_down_at_another(
    start: Any,
    issuer: Any,
    other_issuer: Any,
    token: MakeToken,
    keys: dict[str, Any],
    new_key: Any,
    tmp_path: Path,
) -> None:
    path = tmp_path / "two.toml"
    path.write_text(f'[other]\niss = ["https://other"]\njwks_url = "{other_issuer.url}/jwks"\n')
    other_issuer.publish(keys["ES256"].jwk())
    verify = await start(auth_issuers_file=path)
    theirs = {"iss": "https://other", "aud": ...}
    warm = [await verify(token("EdDSA")), await verify(token("ES256", **theirs))]
    await verify(token(new_key("unknown")))
    rotated = new_key("rotated")
    other_issuer.publish(rotated.jwk())

    response = await verify(token(rotated, **theirs))

    assert codes(*warm, response) == [200, 200, 200]
    assert (len(issuer.paths), len(other_issuer.paths)) == (2, 2)
