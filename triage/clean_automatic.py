"""Mail that no person wrote: absence notes, bounces, notifications, newsletters.

A customer writing about such mail is a customer: one cue is never enough, and a question from a person outweighs them.
"""

from __future__ import annotations

import re
from typing import Final

from triage.clean_quotes import is_forward_line

_LOOKED_AT: Final = 6_000  # a machine says so at the top or in its footer; see _own_words

# Subjects that mail servers write: the phrase and then nothing, or a colon and the subject answered.
_AUTO_SUBJECT: Final = re.compile(
    r"^\W{0,3}(?:automatic(?:ally generated)? (?:reply|response|message)"
    r"|auto(?:mated)?[ -]?(?:reply|response|responder|antwort|svar)"
    r"|out of (?:the )?office(?: auto-?reply| reply| message| notification)?|ooo|away from (?:the )?office"
    r"|vacation (?:reply|message|notice)|automatische (?:antwort|abwesenheitsnotiz|abwesenheitsmeldung)"
    r"|abwesenheits(?:notiz|nachricht|meldung|assistent)|abwesenheit|abwesend|nicht im büro|réponse automatique"
    r"|message d'absence|absence du bureau|absent(?:e)? du bureau|respuesta automática|fuera de (?:la )?oficina"
    r"|mensaje automático|ausencia|resposta automática|fora do escritório|ausência|aviso de ausência"
    r"|risposta automatica|fuori (?:sede|ufficio)|assenza|automatisch(?:e)? (?:antwoord|reactie|bericht)"
    r"|afwezig(?:heid)?(?:sbericht|smelding|sassistent)?|niet op kantoor|automatiskt svar|automatisk svar|frånvarande"
    r"|frånvaro|fraværende|autosvar|poissa(?:olo)?|automaattinen vastaus|automatyczna odpowiedź|autoodpowiedź"
    r"|nieobecność|automatická odpověď|автоответ|автоматический ответ|нет на работе|otomatik yanıt|自動返信|自動応答"
    r"|不在通知|自动回复|自动答复|外出|자동 회신|부재중)(?P<end>\s*(?:$|[:：\[(（]|[-–—] ))",
    re.IGNORECASE,
)
_ABSENT: Final = re.compile(
    r"\b(?:i am|i'm|i will be|i'll be|am) (?:currently |now |presently )?(?:out of (?:the )?office|away"
    r"|on (?:vacation|holiday|leave|annual leave|parental leave|maternity leave)|not in the office|unavailable"
    r"|travell?ing)|\b(?:currently|now) out of (?:the )?office"
    r"|thank you for your (?:e-?mail|message).{0,60}\bout of (?:the )?office"
    r"|\bich bin\b.{0,60}\b(?:nicht (?:im büro|erreichbar|im haus|da)|abwesend|im urlaub|außer haus|in elternzeit)"
    r"|\bim urlaub und\b|\bje (?:suis|serai)\b.{0,60}\b(?:absent|en congés?|en vacances|hors du bureau|indisponible)"
    r"|\b(?:estoy|estaré|me encuentro)\b.{0,60}\b(?:fuera de (?:la )?oficina|ausente|de vacaciones)"
    r"|\b(?:estou|estarei|encontro-me)\b.{0,60}\b(?:fora do escritório|ausente|de férias)"
    r"|\b(?:sono|sarò)\b.{0,60}\b(?:fuori (?:ufficio|sede)|assente|in ferie)"
    r"|\bik ben\b.{0,60}\b(?:afwezig|niet aanwezig|niet op kantoor|met vakantie|op vakantie|met verlof)"
    r"|\bjag är\b.{0,60}\b(?:frånvarande|inte på kontoret|på semester|ledig)"
    r"|\bjeg er\b.{0,60}\b(?:fraværende|ikke på kontoret|på ferie)|jestem (?:nieobecn|na urlopie|poza biurem)"
    r"|я (?:в отпуске|отсутству)|不在にし|休暇を?(?:いただ|頂|取)|休業(?:日|期間)"
    r"|我(?:目前|正在|现在).{0,10}(?:休假|外出|不在)|부재중",
    re.IGNORECASE,
)
_RETURN: Final = re.compile(
    r"\b(?:return|back (?:in|on|at)|limited access|no access to|(?:will|shall) (?:reply|respond|answer|get back)"
    r"|urgent|emergency|in my absence|my colleague|zurück|wieder (?:erreichbar|da|im büro)|nicht weitergeleitet"
    r"|dringend\w*|vertretung|de retour|mon retour|urgence|mon absence|regreso|volveré|mi ausencia|urgente|retorno"
    r"|voltarei|minha ausência|rientro|tornerò|mia assenza|terug|dringende|afwezigheid|tillbaka|åter|tilbage|tilbake"
    r"|wracam|powrót|вернусь)\b|出社|戻|返信",
    re.IGNORECASE,
)
_SAYS_AUTOMATIC: Final = re.compile(
    r"this is an? (?:automat\w+|auto-?generated|system[- ]generated)"
    r"|(?:was|is|has been) (?:sent )?automatically(?: generated| sent)?|automatically generated"
    r"|do not (?:reply|respond) to this|please do not reply|unmonitored (?:mailbox|inbox|address)|not monitored"
    r"|automatisch (?:generiert|erstellt|erzeugt|versendet)|automatisch (?:gegenereerd|verzonden)"
    r"|automatische (?:antwort|nachricht|e-?mail)|(?:bitte )?antworten sie (?:bitte )?nicht auf diese"
    r"|nicht auf diese (?:e-?mail|nachricht) antworten|(?:message|mail|courriel|réponse) (?:est "
    r"|a été )?(?:automatique|généré automatiquement|envoyé automatiquement)|ne pas répondre|merci de ne pas répondre"
    r"|(?:mensaje|correo|respuesta) automátic|generado automáticamente|no responda"
    r"|(?:mensagem|e-?mail|resposta) automátic|gerad[ao] automaticamente|não responda"
    r"|(?:messaggio|risposta) automatic|generat[ao] automaticamente|(?:si prega di )?non rispondere"
    r"|niet (?:te )?beantwoorden|niet reageren op deze|svara inte på|automatiskt (?:genererat|skickat)"
    r"|proszę nie odpowiadać|wygenerowan\w+ automatycznie|не отвечайте на это|自動(?:送信|配信|返信)"
    r"|返信(?:しないで|いただけません|できません)|自动(?:发送|回复)|请勿(?:直接)?回复",
    re.IGNORECASE,
)
# Somebody's words carried by a machine: the mail is automatic, what it holds is not.
_CONTACT_FORM: Final = re.compile(
    r"contact(?:-| )?(?:us )?form|web ?form|(?:form|website) submission|submitted (?:via|through|the)"
    r"|new (?:enquiry|inquiry|message from)|kontaktformular|formulaire de contact|formulario de contacto"
    r"|formulário de contato|modulo di contatto|contactformulier|お問い合わせフォーム",
    re.IGNORECASE,
)
_BOUNCE_SENDER: Final = re.compile(r"^(?:mailer-?daemon|mail-?daemon|double-bounce)(?:\b|[+._-])", re.IGNORECASE)
_MAYBE_BOUNCE_SENDER: Final = re.compile(
    r"^(?:postmaster|bounces?|mailer|microsoftexchange\w*)(?:\b|[+._-])", re.IGNORECASE
)
_BOUNCE_SUBJECT: Final = re.compile(
    r"^\W{0,3}(?:undeliver(?:able|ed)|delivery (?:status notification|failure|has failed|report)"
    r"|mail (?:delivery|system error)|message (?:undeliverable|not delivered|delivery)|returned (?:mail|to sender)"
    r"|failure notice|could not deliver|warning: could not send|non.?delivery|unzustellbar|nicht zustellbar"
    r"|unzustellbarkeit|zustellung (?:fehlgeschlagen|nicht möglich)|fehlgeschlagene zustellung|non remis"
    r"|(?:échec|notification d'échec) de (?:la )?(?:remise|distribution)|no se (?:puede|pudo|ha podido) entregar"
    r"|no entregado|não (?:entregue|foi possível entregar)|falha na entrega|mancat[ao] (?:recapito|consegna)"
    r"|impossibile recapitare|onbestelbaar|niet bezorgd|kan inte levereras|oleverbart|kan ikke leveres|niedostarcz"
    r"|не доставлено|配信不能|配信エラー|配信失敗|系统退信|退信)",
    re.IGNORECASE,
)
_BOUNCE_BODY: Final = re.compile(
    r"\b[45]\.\d{1,3}\.\d{1,3}\b|\b55\d[ -]|diagnostic-code|remote-mta|reporting-mta|final-recipient|smtp"
    r"|mail(?:box|server) (?:is )?(?:full|unavailable)|address rejected|user unknown"
    r"|permanent (?:error|failure|fatal)|mail delivery (?:system|subsystem)"
    r"|(?:couldn't|could not|cannot|wasn't|not) (?:be )?deliver|konnte nicht zugestellt"
    r"|n'a pas pu être (?:remis|distribué)|no se (?:pudo|ha podido) entregar|não (?:pôde|foi possível) ser entregue"
    r"|non è stato (?:recapitato|possibile)|niet worden (?:bezorgd|afgeleverd)|配信できません",
    re.IGNORECASE,
)
_NO_REPLY_SENDER: Final = re.compile(
    r"^(?:[\w.+-]{0,30}[._+-])?(?:no-?_?\.?reply|do-?_?\.?not-?_?\.?reply|noresponder|no-responder|nicht-?antworten"
    r"|keine-?antwort|ne-?pas-?repondre|nepasrepondre|nao-?responda|non-?rispondere|notifications?|newsletter|news"
    r"|marketing|alerts?|auto-?confirm)(?:[._+-][\w.+-]{0,40})?@",
    re.IGNORECASE,
)
_NEWSLETTER: Final = (
    re.compile(
        r"unsubscribe|abbestellen|abmelden vom newsletter|newsletter abmelden|se désabonner|désinscri|darse de baja"
        r"|cancelar (?:la )?suscripción|cancelar inscrição|descadastr|disiscri|annulla(?:re)? l'iscrizione"
        r"|uitschrijven|afmelden|avregistrera|afmeld|wypisz|отписаться|配信停止|退订",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:view|open|read|see) (?:this|it|the) (?:e-?mail |message |newsletter )?(?:in|on) (?:your |a "
        r"|the )?(?:browser|web)|view (?:in|online)|im browser (?:ansehen|anzeigen|öffnen|anschauen)|webansicht"
        r"|version en ligne|dans (?:votre|le) navigateur|en (?:el|tu|su) navegador|no (?:seu )?navegador|nel browser"
        r"|in (?:je|uw) browser|online (?:bekijken|versie)|w przeglądarce|ブラウザで",
        re.IGNORECASE,
    ),
    re.compile(
        r"you(?:'re| are)? receiv(?:ing|ed) this|you subscribed"
        r"|because you (?:signed|opted|are subscribed|registered)|sie erhalten diese|vous recevez (?:ce|cet)"
        r"|recib(?:e|es) este|est(?:á|ás|ão) recebendo|ricev(?:i|e) questa|je ontvangt deze|u ontvangt deze"
        r"|du får (?:detta|denne)|このメールは.{0,40}(?:登録|配信)",
        re.IGNORECASE,
    ),
    re.compile(
        r"all rights reserved|alle rechte vorbehalten|tous droits réservés|todos los derechos|todos os direitos"
        r"|privacy policy|manage (?:your )?preferences|e-?mail preferences|datenschutzerklärung|©",
        re.IGNORECASE,
    ),
)
_REPLY_SUBJECT: Final = re.compile(
    r"^\s*(?:re|aw|sv|antw|antwort|rif|odp|vs|res|回复|答复|返信)\s?[:：]", re.IGNORECASE
)
# A person at the keyboard: asks, or wants something for himself.
_PERSON: Final = re.compile(
    r"[?？]|\b(?:i (?:get|got|keep|received|receive|want|need|would|can't|cannot|tried|have a|can not)"
    r"|we (?:get|got|keep|receive|need|tried|want)|our customers|my customers"
    r"|ich (?:bekomme|erhalte|möchte|brauche|kann)|wir (?:bekommen|erhalten|möchten|brauchen)"
    r"|je (?:reçois|voudrais|n'arrive)|nous (?:recevons|voudrions)|(?:recibo|quiero|necesito)"
    r"|(?:recebo|quero|preciso)|(?:ricevo|vorrei)|ik (?:krijg|ontvang|wil)|help me|can you|could you|how (?:do|can) )",
    re.IGNORECASE,
)
_START: Final = 250  # characters within which an absence note comes to the point


def is_automatic(subject: str, body: str, sender: str, flagged: bool = False) -> bool:
    """Tell whether a machine sent this mail.

    `body` is plain text with quotes stripped, `sender` an address or "" where unknown; `flagged` is the helpdesk's own
    mark and settles it. In doubt the answer is False: a ticket too many is triaged, none is lost. Never raises.
    """
    if flagged or _BOUNCE_SENDER.match(sender.strip()):
        return True
    subject, body, sender = subject.strip()[:300], _own_words(body), sender.strip()[:200]
    return _is_bounce(subject, body, sender) or _is_absence(subject, body) or _is_notification(body, sender)


def _own_words(body: str) -> str:
    """Return start and end of what stands above any forwarded mail: what is passed on is not this sender's."""
    kept: list[str] = []
    for line in body[: 50 * _LOOKED_AT].split("\n"):
        if is_forward_line(line):
            break
        kept.append(line)
    text = "\n".join(kept)
    return text if len(text) <= 2 * _LOOKED_AT else f"{text[:_LOOKED_AT]}\n{text[-_LOOKED_AT:]}"


def _is_bounce(subject: str, body: str, sender: str) -> bool:
    if not _BOUNCE_SUBJECT.match(subject):
        return bool(_MAYBE_BOUNCE_SENDER.match(sender) and len(_BOUNCE_BODY.findall(body)) >= 2)
    return bool(_BOUNCE_BODY.search(body)) and (bool(_MAYBE_BOUNCE_SENDER.match(sender)) or not _PERSON.search(body))


def _is_absence(subject: str, body: str) -> bool:
    says = bool(_SAYS_AUTOMATIC.search(body[:1_000]))
    absent = bool(_ABSENT.search(body[:_START])) and (bool(_RETURN.search(body)) or says)
    if match := _AUTO_SUBJECT.match(subject):
        named_reply = match["end"].strip()[:1] in (":", "：")
        return absent or says or (named_reply and not _PERSON.search(body)) or bool(_ABSENT.search(body[:_START]))
    # Some servers answer under the old subject. Then both halves of the note are needed, and no question.
    return absent and bool(_REPLY_SUBJECT.match(subject)) and not _PERSON.search(body)


def _is_notification(body: str, sender: str) -> bool:
    if _CONTACT_FORM.search(body):
        return False
    letters = sum(bool(cue.search(body)) for cue in _NEWSLETTER)
    if _NO_REPLY_SENDER.match(sender):
        return letters >= 2 or bool(_SAYS_AUTOMATIC.search(body))
    return letters >= 3 and not _FIRST_WISH.search(body[:_START])


# A person who answers a newsletter has its footer below, and his wish at the top.
_FIRST_WISH: Final = re.compile(
    r"[?？]|\b(?:please|bitte|s'il vous plaît|por favor|per favore|graag|i|ich|je|ik|io|yo)\b", re.IGNORECASE
)
