"""The rules of the settings in sentences: who may speak, what happens to a ticket that goes on, what notes ask."""

from __future__ import annotations

from triage.settings import Settings
from triage.settings_feedback import Question
from triage.settings_living import Living
from triage.settings_speech import AutoReply, SpeechRules
from webhooks.words import plain


def speech(rules: SpeechRules) -> list[str]:
    """Return who may speak on a desk."""
    safe = rules.safe
    limits = [
        f"team and priority are at least {safe.min_probability:.0%} sure",
        f"{_articles(safe.min_sources)} close to the question",
        f"the customer has at most {safe.max_contacts} other tickets in 30 days",
        *([f"their monthly revenue is at most {safe.max_mrr:,.0f}"] if safe.max_mrr is not None else []),
    ]
    silent = (
        f"No note where there is nothing to say: automatic mail, or {rules.silent_probability:.0%} sure that it is for "
        "no team (spam, thanks). Tags are set all the same."
        if rules.silent
        else "A note is written on automatic mail, spam and thanks, too."
    )
    vip = f" Tickets tagged {_either(rules.vip_tags)} are for people." if rules.vip_tags else ""
    return [
        silent,
        f"A note may say that its draft is safe to send where {', '.join(limits)}, and nothing is at stake.{vip}",
        *(
            [_reply(name, one) for name, one in rules.auto_reply.items()]
            or ["No customer is answered without a person."]
        ),
        *([f"Own words that a reply is automated: {', '.join(rules.automated_text)}."] if rules.automated_text else []),
    ]


def living(rules: Living) -> list[str]:
    """Return what happens to a ticket that goes on."""
    return [
        "A new message of the customer is judged again until a person has replied."
        if rules.messages
        else "New messages of a customer are not judged.",
        "An @tandem line in a private note, or the tag ai_please, is answered."
        if rules.asked
        else "Nobody can ask Tandem to look again.",
        f"At most {rules.runs_per_hour} later runs of one ticket in an hour; what comes faster waits.",
    ]


def questions(settings: Settings) -> list[str]:
    """Return what notes ask agents, in the order it is looked for."""
    return [
        f"{name}: on {_when(one)}, “{one.ask}” ({' / '.join(one.options)})" for name, one in settings.questions.items()
    ]


def _reply(name: str, one: AutoReply) -> str:
    about = f" about {_either([plain(issue) for issue in one.issues])}" if one.issues else ""
    languages = f" in {_either(list(one.languages))}" if one.languages else ""
    return (
        f"Category {name}: tickets of {plain(one.team)}{about}{languages} are answered in public without a person, "
        f"from {one.min_probability:.0%} sure, where {_articles(one.min_sources)} close to the question, in mode write."
    )


def _when(one: Question) -> str:
    teams = f"tickets of {_either([plain(team) for team in one.when.teams])}" if one.when.teams else "tickets"
    words = f" that say {_either([f'“{word}”' for word in one.when.words])}" if one.when.words else ""
    return teams + words


def _articles(count: int) -> str:
    return "one help article is" if count == 1 else f"{count} help articles are"


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
