"""The audit log: who did what, filtered page by page, and as a CSV file for admins."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator, Mapping

from flask import Blueprint, Response, request

from triage.cells import safe_cell
from triage.store.audit import Entry, Sought
from webhooks.frame import Console
from webhooks.searching import day, text
from webhooks.words import DAY_SECONDS, iso

ROWS = 100
# A file of more rows is asked for month by month.
MOST_EXPORTED = 100_000
EXPORTED_AT_ONCE = 1000
FIELDS = ("actor", "action", "desk", "subject", "since", "until")
COLUMNS = ("at", "actor", "action", "desk", "subject", "detail")


def sought(given: Mapping[str, str]) -> Sought:
    """Return which entries are looked for."""
    until = day(given, "until")
    return Sought(
        actor=text(given, "actor"),
        action=text(given, "action"),
        desk=text(given, "desk"),
        subject=text(given, "subject"),
        since=day(given, "since"),
        until=None if until is None else until + DAY_SECONDS,
    )


def lines(entries: Iterator[Entry]) -> Iterator[str]:
    """Return the lines of the CSV file."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for one in entries:
        detail = json.dumps(one.detail, ensure_ascii=False) if one.detail else ""
        cells = (iso(one.at), one.actor, one.action, one.desk, one.subject, detail)
        writer.writerow([safe_cell(cell) for cell in cells])
        if buffer.tell() > 65_536:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    written = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return written


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""
    log = console.store.audit

    def audit() -> str:
        given = {name: one for name in FIELDS if (one := text(request.args, name))}
        before = request.args.get("before", "")
        first = int(before) if before.isdecimal() and len(before) < 19 else None
        rows, further = log.search(sought(given), ROWS, first)
        return console.show(
            "audit",
            time.time(),
            rows=rows,
            given=given,
            further=further,
            desks=sorted(console.settings.desks),
        )

    def export() -> Response:
        given = {name: one for name in FIELDS if (one := text(request.args, name))}
        console.record("audit exported", subject=", ".join(f"{name} {one}" for name, one in given.items()))
        name = f"tandem-audit-{iso(time.time())[:10]}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(lines(entries(sought(given))), content_type="text/csv; charset=utf-8", headers=headers)

    def entries(wanted: Sought) -> Iterator[Entry]:
        rows, further = log.search(wanted, EXPORTED_AT_ONCE)
        yield from rows
        count = len(rows)
        while further is not None and count < MOST_EXPORTED:
            rows, further = log.search(wanted, EXPORTED_AT_ONCE, further)
            yield from rows
            count += len(rows)

    console.page(routes, "audit", "audit", audit, label="Audit")
    console.page(routes, "audit.csv", "audit_csv", export, admin=True)
