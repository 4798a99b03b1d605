"""What learning costs: the CPU time of reading 10,000 tickets, and of fitting one field to them.

The tickets are words of the sandbox's samples in any order, with a matter of the label in each sentence and a tenth of
the labels drawn by lot. The figures say how long learning takes, nothing about how well it learns.
"""

from __future__ import annotations

import random
import time

import numpy as np

from benchmarks.result import Figure, Result
from benchmarks.tickets import sample_tickets
from triage.classify import shared_encoder
from triage.classify.learned_features import read_features
from triage.classify.splits import groups_of
from triage.classify.training import Material, learn
from triage.ticket import Author, Message, Ticket

TICKETS = 10_000
SHORT = 300
WRONG = 0.1
"""Share of labels drawn by lot: people err too."""
SUBJECTS = {
    "billing": ("the invoice", "a refund", "our direct debit", "the VAT number", "the credit note"),
    "bugs": ("the export", "an error 500", "the search", "the mobile app", "the file upload"),
    "access": ("my password", "the login", "the second factor", "the invitation", "a locked account"),
    "onboarding": ("the import", "the first project", "the training", "the setup guide", "the trial"),
    "security": ("a strange mail", "an unknown address", "the audit", "data deletion", "a lost laptop"),
    "sales": ("more seats", "the yearly plan", "a quote", "the discount", "the upgrade"),
    "shipping": ("the parcel", "the courier", "the delivery date", "a damaged box", "the return label"),
    "cancelling": ("our contract", "the notice period", "the last bill", "closing the account", "the renewal"),
}
SENTENCES = 4
WORDS = 11
"""Of a sentence, besides its matter."""


def run(short: bool) -> Result:
    """Read the tickets, then fit; both with the CPU seconds of all threads of this process."""
    count = SHORT if short else TICKETS
    tickets, labels = made(count)
    encoder = shared_encoder()
    encoder.encode(["warm up"])
    begin = time.process_time()
    features = read_features(tickets, encoder)
    groups = groups_of(features.texts)
    reading = time.process_time() - begin
    begin = time.process_time()
    lesson = learn(Material("primary_team", features, labels, groups, [None] * len(labels)), encoder.model_id)
    fitting = time.process_time() - begin
    return Result(
        "learn",
        (
            Figure(f"reading {count:,} tickets, CPU", reading, "s"),
            Figure("one of them, CPU", 1000 * reading / count, "ms"),
            Figure(f"fitting {len(SUBJECTS)} labels, CPU", fitting, "s"),
            Figure("held-out tickets right", lesson.figures.accuracy, ""),
        ),
        (
            f"synthetic tickets of {np.mean([len(text.split()) for text in features.texts]):.0f} words, "
            f"{len(set(groups.tolist())):,} different ones;",
            f"a label in {1 / WRONG:.0f} is drawn by lot, so about {1 - WRONG:.0%} right is the most there is",
        ),
    )


def made(count: int) -> tuple[list[Ticket], list[str]]:
    """Return so many tickets and their labels, the same ones each time."""
    rng = random.Random(7)  # noqa: S311
    texts = (message.body for ticket in sample_tickets() for message in ticket.messages if not message.html)
    words = sorted({word for text in texts for word in text.casefold().split() if word.isalpha()})
    tickets, labels = [], []
    for number in range(count):
        label = rng.choice(list(SUBJECTS))
        matters = rng.sample(SUBJECTS[label], SENTENCES)
        said = [f"{' '.join(rng.choices(words, k=WORDS))} {matter}.".capitalize() for matter in matters]
        body = Message("1", Author.CUSTOMER, " ".join(said))
        tickets.append(Ticket("", str(number), subject=f"About {matters[0]}", messages=(body,)))
        labels.append(rng.choice(list(SUBJECTS)) if rng.random() < WRONG else label)
    return tickets, labels
