"""How close a document must be to be shown: else a long list finds something "similar" for every question.

Chosen so that a question about something else is shown an article, or a ticket, in about one of twenty cases among
some 2,500 documents; `evaluation/retrieval.py` prints the figures.
"""

from __future__ import annotations

LEAST_ARTICLE = 0.45
LEAST_TICKET = 0.62
