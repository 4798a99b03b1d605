"""From which score on a document is shown. `evaluation/retrieval.py` prints the figures these were chosen on."""

from __future__ import annotations

LEAST_ARTICLE = 0.55
LEAST_TICKET = 0.60
