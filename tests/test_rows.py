"""Files of tickets: JSON lines and CSV read alike, and every wrong line is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands.closed import read_labelled
from commands.rows import InputError, rows_of
from triage.settings import Settings

CSV = """id,subject,body,tier,mrr,ticket_count_30d,created_at,primary_team,priority
1,Refund,"I was charged twice,
please refund",gold,1200.5,3,2026-11-01T10:00:00Z,billing,P1_high
2,,Where is my data?,,,,1800000000,data_privacy,
"""


def written(folder: Path, text: str, name: str = "tickets.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_becomes_the_rows_that_json_would_be(tmp_path: Path) -> None:
    (first, one), (second, two) = rows_of(written(tmp_path, CSV))
    assert (first, second) == (2, 4)
    assert one["body"] == "I was charged twice,\nplease refund"
    assert (one["mrr"], one["ticket_count_30d"]) == (1200.5, 3)
    assert two == {
        "id": "2",
        "body": "Where is my data?",
        "created_at": 1_800_000_000.0,
        "primary_team": "data_privacy",
    }
    labelled = read_labelled(written(tmp_path, CSV), "acme", Settings())
    assert [found.truth for found in labelled.found] == [
        {"primary_team": "billing", "priority": "P1_high"},
        {"primary_team": "data_privacy"},
    ]
    assert labelled.tickets["1"].organization.tier == "gold"
    assert labelled.tickets["1"].desk == "acme"


@pytest.mark.parametrize(
    "text", [CSV.replace(",", ";").replace("twice;", "twice,"), "\ufeff" + CSV, CSV.replace("\n", "\r\n")]
)
def test_spreadsheets_of_all_countries(tmp_path: Path, text: str) -> None:
    assert [row["id"] for _, row in rows_of(written(tmp_path, text))] == ["1", "2"]


def test_groups_of_the_settings_are_their_teams(tmp_path: Path) -> None:
    text = "id,body,primary_team\n1,Hello there,Finance & Billing\n2,Hello again,billing\n"
    found = read_labelled(written(tmp_path, text), "", Settings()).found
    assert [one.truth["primary_team"] for one in found] == ["billing", "billing"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no column 'id'"),
        ("id;subject\n1;x\n", "line 1: no column 'body'"),
        ("id,body,body\n1,x,y\n", "line 1: two columns are called 'body'"),
        ("id,body,priority\n1,Hello, world,a\n", "line 2: 4 cells under 3 columns; put text with commas"),
        ('id,body,priority\n1,"a\nb",p\n2,c\n', "line 4: 2 cells under 3 columns"),
        ("id,body,priority\n,hello,p\n", "line 2: 'id' is empty"),
        ("id,body,mrr,priority\n1,a,1,p\n2,b,much,p\n", "line 3: 'mrr' must be a number"),
        ("id,body,ticket_count_30d,priority\n1,a,1.5,p\n", "line 2: 'ticket_count_30d' must be a whole number"),
        ("id,body,created_at,priority\n1,a,yesterday,p\n", "line 2: 'created_at' must be an ISO time"),
        ("id,body,priority\n1,a,p\n2,b,p\n1,c,p\n", "line 4: id '1' was on line 2 already"),
        (f"id,body,priority\n{'x' * 81},a,p\n", "line 2: 'id' is longer than 80 characters"),
        ("id,body,colour\n1,a,red\n", "no row has a label"),
        ('id,body,priority\n1,"a' + "b" * 9_000_000 + '",p\n', "line 2: no CSV"),
    ],
)
def test_wrong_lines_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_labelled(written(tmp_path, text), "", Settings())


def test_json_lines_as_ever(tmp_path: Path) -> None:
    path = written(tmp_path, '{"id": 1, "body": "x", "priority": "a"}\n\n{"id": 2,\n', "t.jsonl")
    with pytest.raises(InputError, match="line 3: no JSON"):
        list(rows_of(path))
