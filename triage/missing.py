"""What a ticket lacks, where that is certain from its own words: a file that is spoken of and not there, a number.

Small on purpose: a wrong "missing" costs an agent more than none. English, German, French, Spanish, Portuguese,
Italian, Dutch; a ticket in another language has nothing missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

ATTACHMENT = "the attachment the customer speaks of"
ORDER = "an order number"
INVOICE = "an invoice number"

# "I send you a file with this", not "attached to my account" and not "attachments do not work".
_ENCLOSED: Final = re.compile(
    r"""(?xi)
    \b (?: (?<!when\ ) (?<!after\ ) (?<!once\ ) (?<!if\ ) (?:i|we) (?:['’]ve|\ have)? \ (?:just\ |also\ )?
           attached \ (?:an?|the|my|our|some|two|three|screenshots?) \b
         | (?:i['’]m|i\ am|we['’]re|we\ are) \ attaching
         | (?<!t\ ) (?:find|see) \ (?:the\ )? (?:attached|enclosed|attachment|screenshots?)
         | attached \ (?:is|are|you|please)
         | (?:is|are) \ (?:also\ )? attached (?=\s*[.,;:!)\n]|\s*$)
         | (?:screenshots?|files?|logs?|invoice|photos?|pictures?) \ attached
         | in \ the \ attach(?:ment|ed)
         | im \ anhang | anbei | angehängt | siehe \ anhang | in \ der \ anlage | beigefügt(?:e[nrs]?)?
         | ci-?\ ?joint(?:e?s?)? | en \ pi[eè]ces? \ jointes? | en \ pj
         | (?:je|nous) \ (?:vous\ )? joins | j['’]ai \ joint
         | adjunto \ (?:el|la|los|las|una?|mi|copia|captura|foto|factura) | (?:he|hemos) \ adjuntado
         | en \ (?:el\ )? adjunto | adjunto \ a \ este
         | em \ anexo | segu(?:e|em) \ (?:em\ )? anex[oa]s? | anexei | estou \ anexando | anexo \ (?:o|a|os|as|uma?)
         | in \ allegato | allego | ho \ allegato
         | (?:in\ de|als|zie(?:\ de)?) \ bijlage | bijgevoegd | bijgaand
    ) \b """
)
# A picture that Zendesk shows inside the text, as its API writes it.
_INLINE: Final = re.compile(r"/attachments/token/|\]\(https?://\S{1,500}\)")
_MY_ORDER: Final = re.compile(
    r"""(?xi) \b (?: (?:my|our) \ (?:last\ |latest\ )? order | (?:meine|unsere|meiner|unserer) \ bestellung
    | (?:ma|notre) \ commande | (?:mi|nuestro) \ pedido | (?:meu|nosso) \ pedido | (?:minha|nossa) \ encomenda
    | (?:mio|nostro) \ ordine | (?:mijn|onze) \ bestelling ) \b"""
)
_MY_INVOICE: Final = re.compile(
    r"""(?xi) \b (?: (?:my|our) \ (?:last\ |latest\ )? invoice | (?:meine|unsere|meiner|unserer) \ rechnung
    | (?:ma|notre) \ facture | (?:mi|nuestra) \ factura | (?:minha|nossa) \ fatura | (?:mia|nostra) \ fattura
    | (?:mijn|onze) \ factuur ) \b"""
)
# Anything that may be such a number: three digits in a row, as in LM-118204, #4711 or 2026/0817.
_NUMBER: Final = re.compile(r"\d{3}")


def mentions_attachment(text: str) -> bool:
    """Say whether the writer speaks of a file that comes with these words, or shows a picture in them."""
    return bool(_ENCLOSED.search(text) or _INLINE.search(text))


def missing(subject: str, text: str, attachments: Iterable[str]) -> tuple[str, ...]:
    """Return what is missing from a ticket, in words for an agent; `text` is what the customer wrote, cleaned."""
    said = f"{subject}\n{text}"
    found = [ATTACHMENT] if _ENCLOSED.search(text) and not _INLINE.search(text) and not list(attachments) else []
    if not _NUMBER.search(said):
        found += [what for words, what in ((_MY_ORDER, ORDER), (_MY_INVOICE, INVOICE)) if words.search(said)]
    return tuple(found)
