import io
import os
from pathlib import Path

from devkit.output import LogFolder, Terminal


def _write(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)


def test_each_line_stands_behind_the_name_of_its_process() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)

    _write(terminal.open("tasks"), b'{"event": "a"}\nhalf a line')
    terminal.drain()

    assert stream.getvalue() == 'tasks         | {"event": "a"}\ntasks         | half a line\n'


def test_lines_of_several_processes_are_never_mixed() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)
    names = ("redis", "tasks", "gateway")

    for descriptor, name in [(terminal.open(name), name) for name in names]:
        _write(descriptor, f"{name * 50}\n".encode() * 200)
    terminal.drain()

    lines = stream.getvalue().splitlines()
    assert len(lines) == 600
    assert set(lines) == {f"{name:<13} | {name * 50}" for name in names}


def test_the_last_line_is_the_last_with_words_in_it() -> None:
    terminal = Terminal(io.StringIO())

    _write(terminal.open("tasks"), b"first\nno key\n\n")

    assert terminal.last_line("tasks") == "no key"
    assert terminal.last_line("gateway") == ""


def test_bytes_that_are_no_text_do_not_end_the_output() -> None:
    terminal = Terminal(io.StringIO())

    _write(terminal.open("tasks"), b"\xff\nstill here\n")

    assert terminal.last_line("tasks") == "still here"


def test_a_reader_that_has_gone_away_is_no_reason_to_stop() -> None:
    stream = io.StringIO()
    stream.close()
    terminal = Terminal(stream)

    _write(terminal.open("tasks"), b"said to nobody\n")

    assert terminal.last_line("tasks") == "said to nobody"


def test_a_log_is_kept_over_restarts(tmp_path: Path) -> None:
    logs = LogFolder(tmp_path / "log")

    _write(logs.open("tasks"), b"first\n")
    _write(logs.open("tasks"), b"second\n\n")

    assert logs.read("tasks") == "first\nsecond\n\n"
    assert logs.last_line("tasks") == "second"
    assert logs.read("gateway") == ""
