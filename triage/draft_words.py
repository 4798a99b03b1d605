"""Words by which drafts are judged, in the languages customers mostly write in: fragments of regular expressions."""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = {
    "en": "english|englisch|inglés|anglais|inglese|inglês|engels",
    "de": "german|deutsch|alemán|allemand|tedesco|alemão|duits",
    "fr": "french|französisch|francés|français|francese|francês|frans",
    "es": "spanish|spanisch|español|espagnol|spagnolo|espanhol|spaans|castellano",
    "it": "italian|italienisch|italiano|italien|italiaans",
    "pt": "portuguese|portugiesisch|portugués|portugais|portoghese|português|portugees",
    "nl": "dutch|niederländisch|neerlandés|holandés|néerlandais|olandese|holandês|nederlands",
    "pl": "polish|polnisch|polaco|polonais|polacco|polonês|pools|polsku",
    "ja": "japanese|japanisch|japonés|japonais|giapponese|japonês|japans",
    "zh": "chinese|chinesisch|chino|chinois|cinese|chinês|chinees",
}  # fmt: skip
"""Code -> how the language is called in the others."""
ALIKE: Final = tuple(
    frozenset(group.split())
    for group in ("es pt gl ca it", "da no nb nn sv", "nl af", "cs sk", "hr sr bs sl", "id ms", "ru uk bg be")
)
"""Languages that a guess mixes up in a short text."""
PROMISES: Final = {
    "a refund": (
        "refund|reimburs|money[ -]?back|chargeback|charge you back|pay (?:it|you|that|this) back|erstatt|rückzahl"
        "|zurückzahl|zurücküberw|geld zurück|rembours|reembols|devolu[ct]|devolver|devolvemos|rimbors|restitu"
        "|estorn|terugbetal|terugstort|geld terug|zwrot pieni|zwróc|återbetal|tilbagebetal|refunder|возврат"
        "|возмест|вернем деньги|iade|返金|払い戻|退款|환불"
    ),
    "a credit": (
        r"\bcredit(?:s|ed|ing)?\b(?! card|-card|kaart|o? ?karte)|gutschrift|gutgeschrieben|gutschreib|gutschein"
        r"|guthaben|voucher|coupon|store credit|\bavoir sur\b|\bun avoir\b|bon d'achat|crédit(?!er)|créditer"
        r"|\babon(?:o|aremos|amos|ar)\b|crédito|credito(?!.*carta)|accredit|buono sconto|nota de crédito|tegoed"
        r"|\bcredit(?:nota|eren)\b|クレジット(?!カード)|抵扣"
    ),
    "compensation": (
        "compensat|compensa[rçc]|compens(?:er|ation|ons|eren)|entschädig|kompens|wiedergutmach|dédommag|indemn"
        "|resarc|risarc|indenn|indeniz|schadevergoed|vergoed|goodwill|kulan[zt]|geste commercial|rekompens"
        "|odszkod|kompenz|компенс|tazmin|補償|赔偿|补偿|보상"
    ),
    "a discount": (
        r"discount|rebate|price reduction|rabatt|nachlass|ermäßig|vergünstig|\bremise\b|réduction|rabais|ristourne"
        r"|descuento|rebaja|\bsconto|riduzione|desconto|abatimento|korting|zniżk|rabat|скидк|indirim|割引|折扣|할인"
    ),
    "something for free": (
        "free of charge|for free|at no (?:extra |additional )?c(?:ost|harge)|free (?:month|year|seat|upgrade"
        "|replacement|week)|waive|on the house|kostenlos|kostenfrei|gratis|unentgeltlich|umsonst|gratuit|offert"
        "|sin (?:cargo|coste|costo)|senza costi|omaggio|sem custo|grátis|kosteloos|za darmo|bezpłatn|бесплатн"
        "|ücretsiz|無料|免费|무료"
    ),
    "a guarantee": (
        r"guarant|\bwarrant|we promise|i promise|garant|verspr[eio]ch|zusicher|\bpromet|prometem|promett"
        "|nous promettons|beloven|beloof|toezeg|gwarant|гарант|обеща|保証|保证|보장"
    ),
    "a policy": (
        r"polic(?:y|ies)|terms of (?:service|use)|\bour terms\b|entitled|richtlinie|\bagb\b|geschäftsbedingung"
        r"|nutzungsbedingung|anspruch auf|berechtigt|conditions générales|politique de|\bdroit à\b|política"
        "|términos|condiciones generales|derecho a|condizioni generali|politica d[ie]|diritto a|termos de"
        "|direito a|voorwaarden|beleid|recht op|regulamin|политик|услови|利用規約|ポリシー|政策"
    ),
}  # fmt: skip
"""What only a source may promise -> how it is said."""
TIMES: Final = (
    "today|tomorrow|tonight|this (?:morning|afternoon|evening|week|month)|next (?:week|month|year|day"
    "|business day)|by (?:the )?end of|(?:mon|tues|wednes|thurs|fri|satur|sun)day|heute|morgen|übermorgen"
    "|diese woche|nächste[nr]? (?:woche|monat|tag)|bis ende|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch"
    "|aujourd'hui|demain|cette semaine|(?:semaine|mois) prochaine?|lundi|mardi|mercredi|jeudi|vendredi|hoy|mañana"
    "|esta semana|próxim[ao] (?:semana|mes)|lunes|martes|miércoles|jueves|viernes|oggi|domani|questa settimana"
    "|(?:settimana|mese) prossim[ao]|lunedì|martedì|mercoledì|giovedì|venerdì|hoje|amanhã|segunda-feira"
    "|terça-feira|quarta-feira|quinta-feira|sexta-feira|vandaag|volgende (?:week|maand)|maandag|dinsdag|woensdag"
    "|donderdag|vrijdag|明日|今日|本日|今週|来週|明天|今天|下周"
)  # fmt: skip
"""Times that no digit tells."""
SOON: Final = (
    "shortly|soon|immediately|right away|straight away|as soon as possible|asap|umgehend|sofort|in kürze|bald"
    "|schnellstmöglich|immédiatement|sous peu|dès que possible|au plus vite|inmediatamente|en breve|pronto"
    "|lo antes posible|immediatamente|a breve|presto|appena possibile|imediatamente|em breve|o mais breve"
    "|binnenkort|meteen|zo snel mogelijk|まもなく|すぐに|尽快"
)  # fmt: skip
"""The same, said of what the writer will do."""
UNITS: Final = (
    "seconds?|minutes?|hours?|days?|weeks?|months?|years?|sekunden?|minuten?|stunden?|tag(?:e|en)?|wochen?"
    "|monat(?:e|en)?|jahre?n?|secondes?|heures?|jours?|semaines?|mois|ans?|années?|segundos?|minutos?|horas?"
    "|días?|semanas?|mes(?:es)?|años?|second[oi]|minut[oi]|or[ae]|giorn[oi]|settiman[ae]|mes[ei]|ann[oi]|dias?"
    "|m[êe]s(?:es)?|anos?|seconden|uur|uren|dag(?:en)?|we(?:ek|ken)|maand(?:en)?|ja(?:ar|ren)|時間|日|週間|か月|小时|天|周"
)  # fmt: skip
FIRST_PERSON: Final = (
    r"\b(?:we|(?-i:I))(?:'ll|'ve|'m|'re|’ll|’ve|’m|’re)?\b|\b(?:our|my) (?:team|engineers|developers|specialists?"
    r"|colleagues?|billing)\b|\b(?:wir|ich)\b|\bunser(?:e|en|em)? (?:team|entwickl|kolleg|techni)|\b(?:nous|je)\b"
    r"|\bj['’]|\bon va\b|\bnotre équipe\b|\b(?:nosotros|yo|hemos|vamos|voy|nuestro equipo)\b|\b\w+(?:aremos|eremos"
    r"|iremos|amos|emos)\b|\b(?:noi|abbiamo|ho|faremo|il nostro team)\b|\b\w+(?:iamo|eremo|iremo)\b|\b(?:nós|eu"
    r"|temos|tenho|nossa equipe|nossa equipa)\b|\b(?:we|wij|ik|ons team)\b|弊社|当社|私ども|我们"
)  # fmt: skip
FUTURE: Final = (
    r"\bwill\b|'ll\b|’ll\b|\bgoing to\b|\bshall\b|\bwerden\b|\bwird\b|\bwirst\b|\bva\b|\bvont\b|\ballons\b"
    r"|\b\w+(?:erez|erons|era|eront)\b|\b\w+(?:aremos|eremos|iremos|ará|erá|irá|arán|erán|irán)\b|\b\w+(?:remo|rà"
    r"|rete|ranno)\b|\bvai\b|\bvamos\b|\bzullen\b|\bzal\b|\bgaan\b|\bgaat\b"
)  # fmt: skip
DEEDS: Final = (
    r"\b(?:we|(?-i:I))(?: have|'ve|’ve) (?:\w+ly |now |already |just )?(?!to\b|no\b|not\b|an?\b|the\b)\w+|\b(?:we"
    r"|(?-i:I)) (?:just |already )?\w{3,}ed\b|\b(?:wir haben|ich habe)\b.{0,120}\bge\w+|\b(?:wir haben"
    r"|ich habe)\b.{0,120}\b\w*(?:er|ver|be|ent|zer)\w+t\b|\b(?:nous avons|j['’]ai)\b|\b(?:hemos|he) \w+[aei]do\b"
    r"|\b(?:abbiamo|ho) \w+[st]o\b|\b(?:cancelamos|reembolsamos|corrigimos|enviamos|atualizamos|creditamos"
    r"|alteramos|resolvemos)\b|\b(?:we hebben|wij hebben|ik heb)\b"
)  # fmt: skip
"""What the writer says they have done: nobody has done anything yet."""
NEGATIONS: Final = (
    r"\b(?:not|no|never|cannot|can['’]?t|won['’]?t|don['’]?t|doesn['’]?t|isn['’]?t|aren['’]?t|without|neither|nor"
    r"|nobody|nothing|none|unable|impossible)\b|\b(?:nicht|kein(?:e|en|er|em|es)?|nie|niemals|niemand|nichts|weder"
    r"|ohne|unmöglich)\b|\b(?:ne|n['’]|pas|jamais|aucun|aucune|sans|impossible)\b|\b(?:no|nunca|ningún|ninguna|sin"
    r"|jamás|imposible|tampoco)\b|\b(?:non|mai|nessun\w?|senza|impossibile|né)\b|\b(?:não|nunca|nenhum|nenhuma|sem"
    r"|impossível|nem)\b|\b(?:niet|geen|nooit|niemand|zonder|onmogelijk|noch)\b|ない|ません|不|没"
)  # fmt: skip
COURTESY: Final = (
    "(?:many )?thank|thanks|sorry|(?:i|we)(?: am|'m|’m| are|'re|’re)(?: very| so| really)? sorry|(?:i"
    "|we) apologi[sz]e|apologies|(?:i|we) (?:fully )?understand|(?:vielen |herzlichen |besten )?dank|danke"
    "|es tut (?:mir|uns)|tut (?:mir|uns)|entschuldig|wir bitten um entschuldigung|(?:ich|wir) versteh|merci"
    "|désolé|(?:je suis|nous sommes) (?:vraiment )?(?:désolé|navré)|(?:je|nous) (?:comprends|comprenons)"
    "|toutes (?:nos|mes) excuses|(?:muchas )?gracias|(?:lo )?(?:siento|sentimos|lamento|lamentamos)|disculp"
    "|entiendo|entendemos|grazie|ci dispiace|mi dispiace|ci scusiamo|capisco|(?:muito )?obrigad|lament(?:o|amos)"
    "|desculp|pedimos desculpa|entend(?:o|emos)|(?:hartelijk )?(?:bedankt|dank)|het spijt|excuses|sorry"
    "|ik begrijp|we begrijpen|ありがとう|お問い合わせ|申し訳|ご不便|感谢|谢谢|抱歉"
)  # fmt: skip
OFFERS: Final = (
    r"(?:please |just |simply )?(?:let (?:us|me) know (?:if|how|whether|should)|feel free to (?:reply|write|ask)"
    r"|do(?:n't| not) hesitate to (?:reply|write|ask)|reply to this|(?:we |i )?hope (?:this|that) helps)"
    r"|if .{0,50}\b(?:let us know|just reply|please reply|simply reply|write back)"
    r"|melden sie sich (?:gern|jederzeit|einfach)|(?:bei|falls|wenn) .{0,50}\b(?:melden sie sich|antworten sie"
    r"|schreiben sie uns)|(?:wir hoffen|ich hoffe)\b.{0,20}\bhilft|n'hésitez pas à (?:nous )?(?:répondre|écrire)"
    r"|(?:si|en cas de) .{0,50}\b(?:n'hésitez pas|répondez|écrivez-nous)|no dude en (?:responder|escribir)"
    r"|si .{0,50}\b(?:no dude en|responda a este|escríbanos|avísenos)|non esiti a (?:rispondere|scriver)"
    r"|se .{0,50}\b(?:non esiti|risponda a questo|ci scriva)|não hesite em (?:responder|escrever)"
    r"|se .{0,50}\b(?:não hesite|responda a esta|escreva-nos)|laat het (?:ons|me) (?:gerust )?weten"
    r"|als .{0,50}\b(?:laat het ons|antwoord gerust|antwoord dan)"
)  # fmt: skip
"""How a reply ends: ask again."""
ASKING: Final = (
    r"(?:please|could you|can you|would you|kindly)\b.{0,60}\b(?:send|tell|let (?:me|us) know|share|confirm"
    "|provide|attach|reply|give|describe|include|name|write)|(?:bitte|könn(?:en|ten) sie|kannst du"
    r"|würden sie)\b.{0,80}\b(?:send|schick|teil|nenn|bestätig|gib|geb|beschreib|antwort|schreib|sag)|(?:merci de"
    r"|veuillez|pou(?:vez|rriez)-vous|pourriez vous)\b.{0,60}\b(?:envoy|indiqu|confirm|communiqu|précis|décri"
    "|répond|transm|joind|fourni|préven|dire)|(?:por favor|podría|puede|puedes|podrías"
    r"|le agradecería)\b.{0,60}\b(?:env[ií]|indi[cq]|confirm|d[ií]ga|dinos|compart|adjunt|respond|facilit|describ)"
    r"|(?:per favore|potrebbe|può|puoi|potresti|la preghiamo|le chiediamo)\b.{0,60}\b(?:invi|indic|conferm|dirci"
    r"|comunic|alleg|rispond|forn|descriv|mand)|(?:poderia|pode|você pode|pedimos que)\b.{0,60}\b(?:envi|inform"
    "|indi[cq]|confirm|dig|compartilh|anex|respond|descrev)|(?:graag|kunt u|kun je|zou u|alstublieft"
    r"|wilt u)\b.{0,60}\b(?:stur|laat|vertel|bevestig|geef|geven|doorgeven|beschrijv|antwoord|noem|weten)"
    "|お知らせください|お送りください|教えてください|ご連絡ください|请(?:提供|告知|发送|告诉)"
)  # fmt: skip
"""What asks the customer for something."""
OPENERS: Final = (
    "may|might|can|could|should|shall|must|is|are|was|were|do|does|did|has|have|had|will|would|which|what|how|who|when"
    "|where|why|whether|if|darf|dürfen|kann|können|könnte|soll|sollen|sollte|muss|müssen|ist|sind|war|hat|haben|wird"
    "|werden|gibt|gilt|welche[rsn]?|was|wie|wer|wann|wo|warum|ob|est|sont|peut|peux|pouvons|faut|doit|devons|avons|as"
    "|quel(?:le)?s?|que|qui|comment|quand|où|pourquoi|es|son|está|hay|puede|podemos|puedo|debemos|tiene|tenemos|qué"
    "|cuál(?:es)?|cómo|quién|cuándo|dónde|è|sono|può|possiamo|posso|dobbiamo|ha|abbiamo|quale|quali|che|come|chi"
    "|quando|dove|é|são|pode|podemos|devemos|tem|temos|qual|quais|quem|onde|mag|mogen|kan|kunnen|moet|moeten|zijn"
    "|heeft|hebben|wordt|welke?|wat|hoe|wie|wanneer|waar|waarom"
)
"""How a question to a colleague begins."""
SECRETS: Final = (
    r"password|passcode|\bpin\b|\bcvv\b|\bcvc\b|card (?:number|details|data)"
    r"|number of (?:your|the) (?:\w+ )?card|security code|one-time code|api key|private key"
    "|seed phrase|social security|passwort|kennwort|kartennummer|prüfnummer|mot de passe"
    "|numéro de (?:votre )?carte|contraseña|clave secreta|número de (?:su |la )?tarjeta|numero (?:della "
    "|di )?carta|senha|número d[oe] (?:seu )?cartão|wachtwoord|kaartnummer|pincode|パスワード|密码"
)  # fmt: skip
"""What no support team asks for."""
TO_AGENTS: Final = (
    r"(?:dear |hi |hello |note (?:to|for) (?:the )?|attention |to the |for the |@)(?:support )?agents?\b"
    r"|\bdear colleagues?\b"
    r"|\bliebe[rs]? kolleg|\bchers? collègues?\b|\bestimad[oa]s? coleg"
    r"|\bagents?\s*[:,]|\bnote to (?:self|support|staff|team)|internal (?:note|only|use)"
    r"|before (?:you )?send(?:ing)? this|this draft|\bthe draft\b|\[draft\]|copy (?:and|&) paste|(?:set|change"
    "|raise|lower) (?:the |this )?(?:ticket|priority)|mark (?:this|the) (?:ticket|as)|close (?:this|the) ticket"
    "|approve this|escalate (?:this|the|to)|tell the customer|inform the customer|(?:an|für) (?:den "
    r"|die )?(?:agent|bearbeiter|mitarbeiter|support-?team)|\bagenten?\s*[:,]|hinweis (?:für|an) (?:den|die)"
    r"|interne notiz|note (?:à|pour) l['’]agent|nota (?:para el|al|para o|ao|per l['’])\s?agente|interne notitie"
    "|notitie voor|担当者へ|社内"
)  # fmt: skip
"""Words to the team, which a customer must not read and an agent must not follow."""
MACHINE: Final = (
    "system prompt|as an ai|language model|as a(?:n)? (?:large )?(?:language|ai) |my (?:instructions|guidelines"
    "|rules)"
    "|(?:ignore|disregard|forget) (?:(?:all|any|everything|the|your|every|of) )*(?:previous|prior|above|earlier"
    "|instructions)|you are (?:chatgpt"
    r"|an? (?:ai|assistant))|chatgpt|openai|json object|json schema|\b(?:developer|jailbreak) mode"
    r"|prompt injection|\bthe sources? (?:say|state|do|does|mention)|according to (?:the )?sources?\b|source \[?\d"
    r"|systemprompt|sprachmodell|als ki\b|meine anweisungen|ignorier(?:e|en sie) (?:alle|die)|modèle de langage"
    r"|en tant qu['’]ia|mes instructions|ignore[rz]? (?:les|toutes)|modelo de lenguaje|como ia\b|mis instrucciones"
    "|ignora (?:las|todas|le|tutte)|modello linguistico|modelo de linguagem|minhas instruções|taalmodel"
    r"|mijn instructies|(?:vergiss|vergessen sie|oublie[rz]?|olvida|dimentica|esqueça|vergeet) (?:\w+ ){0,2}"
    "(?:anweisungen|instructions|instrucciones|istruzioni|instruções|instructies)"
)  # fmt: skip
"""What a model says about itself."""
NUMBER_WORDS: Final = {
    "2": "two|zwei|deux|dois|duas|twee",
    "3": "three|drei|trois|tres|tre|três|drie",
    "4": "four|vier|quatre|cuatro|quattro|quatro",
    "5": "five|fünf|cinq|cinco|cinque|vijf",
    "6": "six|sechs|seis|zes",
    "7": "seven|sieben|siete|sette|sete|zeven",
    "8": "eight|acht|huit|ocho|otto|oito",
    "9": "nine|neun|nueve|nove|negen",
    "10": "ten|zehn|dix|diez|dieci|dez|tien",
    "12": "twelve|zwölf|douze|doce|dodici|doze|twaalf",
    "14": "fourteen|vierzehn|quatorze|catorce|quattordici|veertien",
    "15": "fifteen|fünfzehn|quinze|quince|quindici|vijftien",
    "20": "twenty|zwanzig|vingt|veinte|venti|vinte|twintig",
    "24": "twenty-four|vierundzwanzig|vingt-quatre",
    "30": "thirty|dreißig|trente|treinta|trenta|trinta|dertig",
    "48": "forty-eight|achtundvierzig|quarante-huit",
    "50": "fifty|fünfzig|cinquante|cincuenta|cinquanta|cinquenta|vijftig",
    "60": "sixty|sechzig|soixante|sesenta|sessanta|sessenta|zestig",
    "90": "ninety|neunzig|noventa|novanta|negentig",
    "100": "hundred|hundert|cien|cento|cem|honderd",
}  # fmt: skip
"""Number -> how it is written out, except for words that mean something else as well: "one", Italian "due"."""
