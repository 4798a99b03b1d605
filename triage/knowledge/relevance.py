"""How close a document must be to be shown: else a long list finds something "similar" for every question.

Chosen so that among some 2,500 documents about nine of ten questions about something else are shown nothing, while
nearly all right answers stay; `evaluation/retrieval.py` prints the figures.
"""

from __future__ import annotations

LEAST_ARTICLE = 0.45
LEAST_TICKET = 0.64
