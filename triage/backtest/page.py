"""A backtest's report as one self-contained HTML page: no script, no request, everything escaped."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from triage.backtest import plots
from triage.backtest.effects import dollars

HERE = Path(__file__).parent
TITLES = {"primary_team": "Team", "priority": "Priority", "sentiment": "Sentiment", "churn_risk": "Churn risk"}
# Nothing may be fetched, sent or run, wherever the page is opened; the one style is allowed by its hash.
POLICY = "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
SAFE_SCHEMES = ("https://", "http://")


def page(report: dict[str, Any]) -> str:
    """Return the page of `report`."""
    style = (HERE / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": _percent, "number": _number, "words": _words, "dollars": dollars}
    environment.globals |= {"plots": plots, "titles": TITLES, "link": _link}
    template = environment.from_string((HERE / "page.html").read_text(encoding="utf-8"))
    # Our own file: it must reach the browser as its hash was taken.
    return template.render(report=report, style=Markup(style), policy=POLICY.format(hash=digest))  # noqa: S704


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _number(count: float) -> str:
    return f"{count:,.0f}"


def _words(label: object) -> str:
    return str(label).replace("_", " ")


def _link(url: str) -> str:
    """Return `url` where it is an ordinary address; anything else is no link."""
    return url if url.startswith(SAFE_SCHEMES) else ""
