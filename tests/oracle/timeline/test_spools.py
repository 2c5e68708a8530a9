"""What led to a divergence in a recording that can be read only once: it was kept while it was read."""

from __future__ import annotations

import errno
import gzip
import io
import os
import threading
from pathlib import Path

import pytest
from timelines import allocate, checked, free, led_to, state_of, written

from memoracle.cli import main
from memoracle.timeline.past import FIRST_ONES, NOT_KEPT, ONCE, Past
from memoracle.trace import spool
from memoracle.trace.inputs import InputError, spooled_lines
from memoracle.trace.spool import Spool


def standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("compressed", [False, True])
def test_standard_input_is_drawn_as_a_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compressed: bool
) -> None:
    path = written(tmp_path, [allocate(5), allocate(4), allocate(5), allocate(6), allocate(6)])
    of_file = led_to(path, "--keep-going")
    content = path.read_bytes()
    standard_input(monkeypatch, gzip.compress(content) if compressed else content)
    outcomes, past = checked("-", "--keep-going")
    found, why = past.timelines(outcomes[0])
    assert why == ""
    assert [each.steps for each in found] == [each.steps for each in of_file]
    assert [[step.line for step in each.steps] for each in found] == [[2, 3, 4], [2, 3, 4, 5, 6]]


def test_a_pipe_that_is_named_is_drawn_too(tmp_path: Path) -> None:
    content = written(tmp_path, [allocate(5), allocate(5)]).read_bytes()
    os.mkfifo(pipe := tmp_path / "pipe")
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    (timeline,) = led_to(pipe)
    writer.join()
    assert [state_of(step.after, 5) for step in timeline.steps] == ["in use", "in use"]


def test_a_second_trace_of_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = written(tmp_path, [allocate(5)]).read_bytes()
    standard_input(monkeypatch, content + written(tmp_path, [allocate(4), allocate(4)]).read_bytes())
    outcomes, past = checked("-", "--split")
    found, why = past.timelines(outcomes[1])
    assert (why, [step.line for step in found[0].steps]) == ("", [4, 5])


def test_what_is_followed_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standard_input(monkeypatch, written(tmp_path, [allocate(5), allocate(5)]).read_bytes())
    outcomes, past = checked("-", "--follow")
    found, why = past.timelines(outcomes[0])
    assert (why, [step.line for step in found[0].steps]) == ("", [2, 3])


@pytest.mark.parametrize("compressed", [False, True])
def test_of_what_is_too_long_the_beginning_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compressed: bool
) -> None:
    """What led to a divergence that comes later is not drawn."""
    begin = written(tmp_path, [allocate(5), allocate(5)]).read_bytes()
    content = written(tmp_path, [allocate(5), allocate(5), *[allocate(4), free(4)] * 4, allocate(5)]).read_bytes()
    rest = content.removeprefix(begin)
    standard_input(monkeypatch, content)
    outcomes, past = checked("-", "--keep-going")
    assert len(outcomes[0].divergences) == 2
    for drawn, kept in ((1, len(rest) - 5), (0, -20)):
        cut = Spool()
        if compressed:  # its last block is not whole
            cut.add(gzip.compress(begin)[: None if drawn else kept] + (gzip.compress(rest)[:-20] if drawn else b""))
        else:
            cut.add(content[: len(begin) + kept])
        cut.why_not = "it has more than 10 bytes"
        found, why = Past(past.again, spools={"-": cut}).timelines(outcomes[0])
        assert len(found) == drawn
        assert why == (FIRST_ONES if drawn else f"{NOT_KEPT}: it has more than 10 bytes.")


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Spool(most=10)
    one.add(b"123456\n")
    one.add(b"12345\n")
    one.add(b"1\n")
    assert (one.why_not, one.reader().read()) == ("it has more than 10 bytes", b"123456\n")
    assert list(spooled_lines("-", one)) == [b"123456\n"]

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool, "TemporaryFile", refuse)
    other = Spool()
    other.add(b"1")
    assert (other.why_not, other.reader().read()) == ("No space left on device", b"")


def test_a_fault_of_a_whole_spool_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Spool()
    whole.add(b"123456789\n")
    with pytest.raises(InputError, match="longer than 3 bytes"):
        list(spooled_lines("-", whole, max_line=3))


def test_nothing_is_kept_where_no_report_draws_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = written(tmp_path, [allocate(5), allocate(5)]).read_bytes()
    made: list[Spool] = []
    monkeypatch.setattr("memoracle.commands.check_inputs.Spool", lambda: made.append(Spool()) or made[-1])
    for report, kept in ((f"junit={tmp_path / 'x'}", 0), (f"html={tmp_path / 'page'}", 1)):
        standard_input(monkeypatch, content)
        assert main(["check", "-", "--quiet", "--report", report]) == 1
        assert len(made) == kept
    capsys.readouterr()
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert 'data-step="1"' in page
    assert ONCE not in page


def test_the_memory_map_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It came by standard input."""
    standard_input(monkeypatch, b"BIOS-e820: [mem 0x0000000000000000-0x0000000001ffffff] usable\n")
    (timeline,) = led_to(written(tmp_path, [allocate(5), allocate(5)]), "--memory-map", "-")
    assert [state_of(step.after, 5) for step in timeline.steps] == ["in use", "in use"]
