"""Variables of .env are changed in its text, and files are put in place in one step."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import file_swap
from triage.desk_plan import Files
from triage.env_edit import drop_variables, read_variables, set_variables
from triage.environment import variables
from triage.file_swap import SECRET, backup_of, may_swap, one_at_a_time, read_exactly, swap

TEXT = "# our secrets\n\nSECRET_KEY=abc # signs\nexport TOKEN='old'\n\n# below\nEMPTY=\nTOKEN=older\n"


def test_a_variable_is_set_where_it_stands_and_once() -> None:
    changed = set_variables(TEXT, {"TOKEN": "new", "OTHER": "x y"})
    assert changed == "# our secrets\n\nSECRET_KEY=abc # signs\nTOKEN=new\n\n# below\nEMPTY=\nOTHER='x y'\n"
    assert set_variables(changed, {"TOKEN": "new"}) == changed


def test_variables_go_and_comments_stay() -> None:
    assert drop_variables(TEXT, ["TOKEN", "NONE"]) == "# our secrets\n\nSECRET_KEY=abc # signs\n\n# below\nEMPTY=\n"


def test_windows_line_endings_and_a_missing_last_break() -> None:
    assert set_variables("A=1\r\nB=2", {"B": "3", "C": "4"}) == "A=1\r\nB=3\r\nC=4\r\n"
    assert set_variables("A=1", {"C": "4"}) == "A=1\nC=4\n"


@given(
    st.dictionaries(st.from_regex(r"[A-Z][A-Z_]{0,8}", fullmatch=True), st.text(min_size=1, max_size=30), min_size=1)
)
def test_any_secret_reads_back_as_it_was(values: dict[str, str]) -> None:
    values = {name: "".join(c for c in value if c.isprintable()) for name, value in values.items()}
    found = read_variables(set_variables(TEXT, values))
    assert found == read_variables(TEXT) | values


def test_the_mark_that_some_editors_begin_a_file_with_is_no_part_of_a_name(tmp_path: Path) -> None:
    text = "\ufeffA=1\nB=2\n"
    assert read_variables(text) == {"A": "1", "B": "2"}
    assert set_variables(text, {"A": "3"}) == "\ufeffA=3\nB=2\n"
    assert drop_variables(text, {"A"}) == "\ufeffB=2\n"
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    assert variables(tmp_path / ".env")["A"] == "1"


def test_a_file_is_replaced_with_a_copy_beside_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=1\r\n")
    path.chmod(0o644)
    swap(path, "A=2\r\n", SECRET)
    assert read_exactly(path) == "A=2\r\n"
    assert (tmp_path / ".env.bak").read_bytes() == b"A=1\r\n"
    assert {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()} == {0o600}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "tandem.yaml"
    real.write_text("a: 1\n")
    link.symlink_to(real)
    swap(link, "a: 2\n")
    assert link.is_symlink()
    assert real.read_text() == "a: 2\n"


def test_the_copy_of_a_linked_file_is_found(tmp_path: Path) -> None:
    """Whoever takes secrets away must take them out of the copy beside the real file."""
    real, link = tmp_path / "there" / "env", tmp_path / ".env"
    real.parent.mkdir()
    real.write_text("A=secret\n")
    link.symlink_to(real)
    swap(link, "A=2\n", SECRET)
    assert backup_of(link).read_text() == "A=secret\n"
    Files(tmp_path / "tandem.yaml", link).forget_backups()
    assert "secret" not in "".join(one.read_text() for one in real.parent.iterdir())


def test_two_who_change_a_file_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("")

    def add(number: int) -> None:
        with one_at_a_time(path):
            swap(path, set_variables(read_exactly(path), {f"A{number}": "1"}), SECRET)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(12)))
    assert len(read_variables(path.read_text())) == 12
    assert sorted(one.name for one in tmp_path.iterdir()) == [".env", ".env.bak"]


def test_a_crash_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    monkeypatch.setattr(file_swap.os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        swap(path, "A=2\n")
    assert path.read_text() == "A=1\n"
    assert [one.name for one in tmp_path.iterdir()] == [".env"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert not may_swap(tmp_path / ".env")
    tmp_path.chmod(0o700)
    assert may_swap(tmp_path / ".env")
