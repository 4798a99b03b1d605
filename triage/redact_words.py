"""Words that stand where names and passwords stand and are neither, by language."""

from __future__ import annotations

import re
from typing import Final

_TALK: Final = """\
wrong incorrect invalid expired not no never still correct right valid required needed missing empty reset changed
lost forgotten forgot being been too very the a an my your our his her their this that it i we you he she they and
or but for from in on at with when because so if to of as does did do is was are has have had will would can could
should must won doesn isn didn wasn working accepted rejected denied blocked locked weak strong old new same
different unknown ok okay fine set sent known visible shown asked displayed stored saved leaked stolen exposed
compromised protected manager field page link screen prompt policy request email mail box form option button falsch
ungültig abgelaufen nicht kein keine immer noch richtig korrekt vergessen geändert zurückgesetzt gesperrt nötig
erforderlich leer das die der ein eine mein ihr und oder aber für von auf mit wenn weil zu als wurde wird incorrecto
incorrecta inválida inválido caducada olvidado olvidada el la los las un una mi su y o pero para de en con cuando
porque si que ha está esta correcta correcto incorrecte invalide expiré oublié pas le les une mon votre et ou mais
pour dans avec quand parce été incorreta incorreto expirada esquecida não os um uma minha sua e mas com quando se
foi
"""
TALK: Final = frozenset(_TALK.casefold().split())
"""A password is talked about here, not given: these go on with the sentence."""
_NO_NAMES: Final = """\
community world first time departamento suporte online store shop cliente clients klantenservice
team support sir madam sirs all there everyone everybody folks guys friends friend colleagues colleague customer
customers service helpdesk desk admin administrator sales billing accounting accounts finance department office info
company inc ltd llc gmbh ag corp group user users ladies gentlemen whom concern it help hello hi hey thanks thank
you please yes no ok okay again now today tomorrow monday tuesday wednesday thursday friday saturday sunday january
february march april june july august september october november december the this that these those a an i we he she
they my our your his her their it's i'm and or but so if when why what how where who which is are was not just still
also very much many more some any sent from best regards kind sincerely cheers zusammen kollegen kolleginnen damen
herren herr frau leute allerseits kundenservice kundendienst kunde kundin dank danke viele grüße ich wir sie er es
ihr der die das ein eine und oder aber wenn bitte ja nein heute morgen leider hier seit nach bei mit für ihnen ihre
ihren unser équipe équipes madame monsieur messieurs mesdames tous toutes client cliente merci bonjour je nous vous
il elle le la les un une et ou mais si quand pourquoi depuis votre notre equipo señor señora señores señoras todos
todas amigos soporte gracias hola yo nosotros usted ustedes el los las una y o pero cuando por desde su nuestro
equipe senhor senhora senhores pessoal suporte obrigado obrigada eu nós você vocês os as um uma e mas quando porque
microsoft google apple amazon windows linux excel outlook slack zendesk freshdesk salesforce
"""
NO_NAMES: Final = frozenset(_NO_NAMES.casefold().split())
"""Words that stand where names stand and are none."""
_ORDINARY: Final = """\
will mark page grant may april june rose hope faith grace bill chase rich art dean miles price cash day king long
best good black white green brown young small case chance drew rob pat sue jean carol holly ivy iris joy summer max
min wolf stein klein gross lang kurz ernst lange neu petit blanc mars sol luz cruz paz
"""
ORDINARY: Final = frozenset(_ORDINARY.casefold().split())
"""Names that are words as well: looked for with a capital letter only."""

# "order 0301234567", "Auftragsnr. 123-456-7890", "nº de pedido: ..."; "in case" and "in diesem Fall" name nothing.
_REFERENCE: Final = re.compile(
    r"(?<![^\W_])(?<!\bin )(?<!\bin any )(?<!\bin this )(?<!\bin that )"
    r"(?:order|ticket|case|sku|ref(?:erence)?|invoice|bestell(?:ung)?|auftrags?|vorgangs?|fallnummer|fall-?nr"
    r"|rechnungs?|artikel|referenz|commande|facture|dossier|r[ée]f[ée]rence|r[ée]f|pedido|factura|caso|referencia"
    r"|fatura|encomenda|chamado|refer[êe]ncia)"
    r"(?:-?nummer|-?nr)?\.?(?:[ -]?(?:(?:no|nr|num|number|num[ée]ro|n[úu]mero|nummer|id|code)\b\.?|n[°º]\.?))?"
    r"[ \u00a0]{0,2}(?:(?:is|was|ist|lautet|est|es|é)[ \u00a0])?[:#=]?[ \u00a0]?#?$",
    re.IGNORECASE,
)
_REFERENCE_CHARS: Final = 48


def is_reference(text: str, start: int) -> bool:
    """Say whether the number at `start` is called an order, a ticket, an invoice or the like."""
    return bool(_REFERENCE.search(text[max(start - _REFERENCE_CHARS, 0) : start]))
