"""What a later run of a ticket finds: the ticket as read, what earlier runs said and wrote, what people want of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pydantic import ValidationError

from triage.changes import Labels, stand
from triage.classification import Classification
from triage.decision import Decision
from triage.draft import Wishes
from triage.later import ANSWER, ASKED, MESSAGE, TAG, Handled, hint_of, no_longer
from triage.store.effects import Effect
from triage.store.runs import DONE, Run
from triage.ticket import Ticket
from workers.asking import take_answer
from workers.later import bot_of, handled
from workers.tools import Tools
from workers.wrote import Wrote, wrote_of


@dataclass(frozen=True)
class Scene:
    """Everything a later run goes by."""

    run: Run
    ticket: Ticket
    tools: Tools
    others: Sequence[Run]
    effects: Sequence[Effect]
    """Of all runs of the ticket, oldest first."""
    bot_id: str
    told: bool = False
    """The agent's note that this run is about answers a question of ours."""

    @cached_property
    def past(self) -> list[Handled]:
        """Return the other runs as the rules see them."""
        return [handled(run) for run in self.others]

    @cached_property
    def mine(self) -> dict[str, Effect]:
        """Return what an earlier attempt of this run has recorded, by kind."""
        return {effect.kind: effect for effect in self.effects if effect.run_id == self.run.id}

    @cached_property
    def verdicts(self) -> list[tuple[Labels, Decision]]:
        """Return the labels that stood after each earlier run, and what it decided, oldest first."""
        found: list[tuple[Labels, Decision]] = []
        labels: Labels = {}
        for run in sorted((one for one in self.others if one.state == DONE), key=lambda one: one.finished_at or 0.0):
            try:
                answer = Classification.model_validate(run.classification)
                decision = Decision.model_validate(run.decision)
            except ValidationError:
                continue  # of another version, or dropped when its days were over
            labels = stand(labels, answer, decision)
            found.append((labels, decision))
        return found

    @property
    def labels(self) -> Labels:
        """Return the labels that stood before this run."""
        return self.verdicts[-1][0] if self.verdicts else {}

    @cached_property
    def wrote(self) -> Wrote:
        """Return what our writes have left on the ticket."""
        return wrote_of(self.effects, doubtful=self.run.id)

    @property
    def is_asked(self) -> bool:
        """Say whether a person waits for this run."""
        return not self.run.occasion.startswith(MESSAGE)

    @cached_property
    def wishes(self) -> Wishes:
        """Return what the person wants, or has answered."""
        note = self.run.occasion.startswith(ASKED) and not self.run.occasion.startswith(TAG)
        hint = hint_of(self.ticket, self.run.occasion, self.past, self.bot_id) if note and not self.told else ""
        return Wishes(hint=hint, facts=self.tools.facts(self.run))

    @property
    def cause(self) -> tuple[str, ...]:
        """Return the answer that has caused this run; later ones know it too, but are about something else."""
        return self.wishes.facts[-1:] if self.told or self.run.occasion.startswith(ANSWER) else ()

    def no_longer(self, ticket: Ticket) -> str:
        """Return why this run is not needed any more, "" where it is."""
        return no_longer(self.run.occasion, ticket, self.past, self.tools.settings, self.bot_id)


def read_scene(run: Run, tools: Tools) -> Scene:
    """Read the ticket of `run`, and from the database what has become of it so far."""
    ticket = tools.connector.read(run.ticket_id)
    others = [one for one in tools.store.runs.all_of(run.desk, run.ticket_id) if one.id != run.id]
    effects = tools.store.effects.of_ticket(run.desk, run.ticket_id)
    told = run.occasion.startswith(ASKED) and take_answer(run, ticket, tools.store, time.time())
    scene = Scene(run, ticket, tools, others, effects, bot_of(tools.store, run.desk), told)
    if "group" in scene.wrote.values and ticket.group_id and not ticket.group:
        # Whether the group is still ours is told by its name, which not every reading brings.
        return replace(scene, ticket=replace(ticket, group=tools.connector.look(run.ticket_id).group))
    return scene
