"""The `sla:` section of `tandem.yaml`: by which hours clocks run, to which targets, and what they set off."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import date
from importlib import import_module
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator

from triage.settings_base import Section, Target
from triage.settings_hours import WEEK, Hours, Zone, faults, open_minutes

PriorityName = Literal["P0_critical", "P1_high", "P2_medium", "P3_low"]
PRIORITY_NAMES: tuple[PriorityName, ...] = ("P0_critical", "P1_high", "P2_medium", "P3_low")
Metric = Literal["first_response", "next_response", "resolution"]
METRICS: tuple[Metric, ...] = ("first_response", "next_response", "resolution")
ALWAYS_OPEN = "always"
Path = tuple[str | int, ...]
Fault = tuple[Path, str]
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
CHANNEL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S+")


def _full_name(name: Any) -> Any:
    return next((full for full in PRIORITY_NAMES if name in (full, full.split("_")[0])), name)


ShortPriority = Annotated[PriorityName, BeforeValidator(_full_name)]
"""`P0` is short for `P0_critical`."""


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, (str, int)) else value


Names = Annotated[list[Annotated[str, BeforeValidator(str)]], BeforeValidator(_one_or_more)]


def _closed_day(value: Any) -> Any:
    """Return the date of `2026-12-24`; a number would be read as seconds since 1970."""
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not DATE.fullmatch(value):
        raise ValueError("is no date; write dates like 2026-12-24")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("is no day of the calendar; correct it, like 2026-12-24") from None


ClosedDay = Annotated[date, BeforeValidator(_closed_day)]


class Calendar(Section):
    """The hours that count, in local time."""

    time_zone: Zone = "UTC"
    hours: Hours | None = None
    """None is around the clock."""
    country: str = ""
    """Two letters; its public holidays are closed."""
    subdivision: str = ""
    """State or province, for holidays of its own."""
    closed: list[ClosedDay] = Field(default_factory=list)
    """More closed days."""

    @field_validator("hours", mode="before")
    @classmethod
    def _check_hours(cls, hours: Any) -> Any:
        if hours is None:
            raise ValueError("is empty; write some, like mon-fri: 09:00-17:00, or leave hours out for around the clock")
        return hours

    @field_validator("country")
    @classmethod
    def _check_country(cls, country: str) -> str:
        if country and country not in _countries():
            raise ValueError("is not known; write two capital letters, like DE, GB or US")
        return country

    @field_validator("subdivision")
    @classmethod
    def _check_subdivision(cls, subdivision: str, info: ValidationInfo) -> str:
        country = info.data.get("country")
        if subdivision and country == "":
            raise ValueError("needs a country; add country:, like country: DE")
        if subdivision and country and subdivision not in (known := _countries()[country]):
            raise ValueError(f"is not known in {country}; known are {', '.join(known[:12]) or 'none'}")
        return subdivision


def _countries() -> dict[str, list[str]]:
    # Only a calendar with a country needs the library, and processes start faster without.
    found: dict[str, list[str]] = import_module("holidays").list_supported_countries(include_aliases=True)
    return found


class Targets(Section):
    """Minutes within which something is promised; None leaves what stands elsewhere."""

    first_response: Target | None = None
    next_response: Target | None = None
    resolution: Target | None = None


class Override(Section):
    """Other targets or another calendar for some tickets; the first that matches and names a value decides it."""

    tier: Names = Field(default_factory=list)
    team: Names = Field(default_factory=list)
    brand: Names = Field(default_factory=list)
    calendar: str = ""
    priorities: dict[ShortPriority, Targets] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_some(self) -> Self:
        if not (self.tier or self.team or self.brand):
            raise ValueError("names no tickets; add tier:, team: or brand:")
        if not (self.calendar or self.priorities):
            raise ValueError("changes nothing; add calendar: or priorities:")
        return self


class Action(Section):
    """What is done when a ticket comes to a stage, as far as the desk's mode allows."""

    tag: bool = True
    note: bool = True
    notify: list[str] = Field(default_factory=list)
    """Names of channels."""


class BreachAction(Action):
    """The same at a breach, and the escalation."""

    priority: Literal["urgent", "high", "normal"] | None = None
    """Raise the priority to this, in mode `write`."""
    group: str = ""
    """Hand the ticket to this helpdesk group, in mode `write`."""


class QuietHours(Section):
    """When no message is sent; it waits until they are over, and is dropped if it is no longer true then."""

    time_zone: Zone = "UTC"
    hours: Hours
    unless: list[ShortPriority] = Field(default=["P0_critical"])
    """Priorities whose messages are sent all the same."""


class Sla(Section):
    """How clocks run and what they set off."""

    clocks: list[Metric] = Field(default=list(METRICS))
    source: Literal["helpdesk", "policy"] = "helpdesk"
    """Whose clocks count: the helpdesk's own where it keeps some, or always ours."""
    calendar: str = ALWAYS_OPEN
    calendars: dict[str, Calendar] = Field(default_factory=dict)
    paused_by: list[Literal["pending", "hold"]] = Field(default=["pending", "hold"])
    default_priority: ShortPriority = "P2_medium"
    """The targets of a ticket whose priority nobody knows."""
    overrides: list[Override] = Field(default_factory=list)
    at_risk: float = Field(default=0.75, ge=0.05, le=0.99)
    tick_seconds: int = Field(default=60, ge=10, le=3600)
    on_risk: Action = Action()
    on_breach: BreachAction = BreachAction()
    channels: dict[str, SecretStr] = Field(default_factory=dict)
    quiet_hours: QuietHours | None = None

    @field_validator("channels")
    @classmethod
    def _check_channels(cls, channels: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, url in channels.items():
            if not CHANNEL.fullmatch(url.get_secret_value()):
                shown = "an address stands as a name and what it names" if "://" in name else f"'{name[:40]}'"
                raise ValueError(f"{shown} is no address of a channel; write ops: mailto://... or ops: slack://...")
            if len(name) > 40:
                raise ValueError("the name of a channel is longer than 40 characters; shorten it")
        return channels

    def faults(self, teams: Collection[str]) -> Iterator[Fault]:
        """Yield (path below `sla`, what is wrong) of what refers to something else in the file."""
        yield from self._bad_hours()
        yield from self._bad_calendars()
        for number, override in enumerate(self.overrides):
            for team in override.team:
                if team not in teams:
                    yield ("overrides", number, "team"), f"'{team}' is no team; the teams are {', '.join(teams)}"
        for stage, action in (("on_risk", self.on_risk), ("on_breach", self.on_breach)):
            for name in action.notify:
                if name not in self.channels:
                    listed = ", ".join(self.channels) or "none; add it below sla.channels"
                    shown = "an address" if "://" in name else f"'{name[:40]}'"  # addresses hold secrets
                    yield (stage, "notify"), f"{shown} is no channel; the channels are {listed}"

    def _bad_hours(self) -> Iterator[Fault]:
        given: list[tuple[Path, Hours | None]] = [
            (("calendars", name, "hours"), one.hours) for name, one in self.calendars.items()
        ]
        given.append((("quiet_hours", "hours"), self.quiet_hours.hours if self.quiet_hours else None))
        for path, hours in given:
            if hours is not None:
                yield from (((*path, key) if key else path, text) for key, text in faults(hours))
        if self.quiet_hours and open_minutes(self.quiet_hours.hours) >= WEEK:
            yield ("quiet_hours", "hours"), "are the whole week, so no message would ever be sent; leave some hours out"

    def _bad_calendars(self) -> Iterator[Fault]:
        if ALWAYS_OPEN in self.calendars:
            yield ("calendars", ALWAYS_OPEN), f"'{ALWAYS_OPEN}' is around the clock already; choose another name"
        known = [ALWAYS_OPEN, *self.calendars]
        wanted: list[tuple[Path, str]] = [(("calendar",), self.calendar)]
        wanted += [(("overrides", number, "calendar"), one.calendar) for number, one in enumerate(self.overrides)]
        for path, name in wanted:
            if name and name not in known:
                yield path, f"'{name}' is no calendar; the calendars are {', '.join(known)}"
