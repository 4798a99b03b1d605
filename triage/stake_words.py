"""Words of a ticket that make it a person's: break-ins, leaked data, courts, press, harm. Pure.

They only ever take a right away from Tandem, so they are wide: a false alarm costs an agent one look.
"""

from __future__ import annotations

import re
from typing import Final

# One entry a language; beginnings of words, so that endings need not be listed.
_SECURITY: Final = (
    r"hack|breach|phish|malware|ransom|virus|trojan|spyware|vulnerab|exploit|stolen|leak|compromis|intru|unauthori[sz]"
    r"|suspicious|fraud|scam|identity theft|data loss|two.factor|2fa\b|security|cve-\d|xss\b|sql.injection|backdoor"
    r"|password (?:dump|list)|takeover|taken over|someone else (?:is|has|was)|broke into|broken into",
    r"gehackt|hacker|datenleck|datenpanne|datendiebstahl|gestohlen|einbruch|eingebrochen|schadsoftware|betrug|betrüg"
    r"|sicherheit|schwachstelle|unbefugt|missbrauch|verdächtig|erpress|fremde[rn]? zugriff|kompromit",
    r"pirat|hameçonnage|vol[ée]e?s?\b|fuite|fraud|arnaque|sécurité|faille|vulnérab|intrusion|suspect|usurp"
    r"|logiciel malveillant"
    r"|non autorisé|rançon|compromis",
    r"hacke|pirate|robad|robo\b|filtraci|fuga de datos|fraude|estafa|seguridad|vulnerab|intrus|sospechos|suplant"
    r"|no autoriz"
    r"|secuestr|comprometid",
    r"violat|rubat|furto|fuga di dati|frode|truffa|sicurezza|vulnerab|intrusion|sospett|non autorizzat|riscatt"
    r"|compromess",
    r"invad|roubad|roubo|vazamento|fraude|golpe|segurança|vulnerab|intrus|suspeit|não autoriz|resgate|comprometid",
    r"gehackt|gestolen|datalek|inbraak|ingebroken|fraude|oplicht|beveilig|kwetsba|verdacht|onbevoegd|misbruik"
    r"|afpers|gecomprom",
    r"właman|skradzion|wyciek|oszust|bezpieczeńs|podejrzan|взлом|украд|утечк|мошен|безопасн|уязвим|подозрит|hırsız"
    r"|çalın|sızınt"
    r"|dolandır|güvenlik|şüpheli",
    r"ハッキング|不正|漏洩|漏えい|乗っ取|盗|詐欺|セキュリティ|脆弱|黑客|入侵|泄露|洩露|盗|诈骗|詐騙|安全|漏洞|해킹"
    r"|유출|도난|사기|보안|취약|침입"
    r"|اختراق|تسريب|سرق|احتيال|أمان|ثغرة|แฮ็ก|รั่วไหล|ขโมย|หลอกลวง|ความปลอดภัย|ช่องโหว่",
)
_LEGAL: Final = (
    r"lawyer|attorney|solicitor|barrister|lawsuit|law firm|legal|sue\b|suing|court\b|litigat|subpoena|regulator|ombuds"
    r"|consumer protection|gdpr|ccpa|hipaa|data protection|privacy|personal data|delete my (?:data|account)"
    r"|right to be forgotten"
    r"|subject access|chargeback|the press\b|journalist|police|complain|discriminat|harass|injur|accident\b|death"
    r"|died|suicid|self.harm"
    r"|contract|liab|compensat|damages|breach of",
    r"anwalt|anwält|kanzlei|klage|verklag|gericht|rechtlich|rechtsschutz|abmahn|dsgvo|datenschutz|personenbezogen"
    r"|verbraucherschutz"
    r"|aufsichtsbehörde|presse|polizei|strafanzeige|anzeige erstatt|schadenersatz|schadensersatz|beschwer|verletz"
    r"|unfall|vertrag|haft(?:en|ung)",
    r"avocat|tribunal|justice|juridique|poursui|plainte|mise en demeure|rgpd|données personnelles|vie privée|cnil"
    r"|presse\b|police"
    r"|dommages|indemnis|réclamation|blessé|accident\b|contrat|litige",
    r"abogad|juzgado|tribunal|demanda(?:r|ré|remos)?\b|legal|denuncia|rgpd|datos personales|privacidad"
    r"|protección de datos|prensa|policía"
    r"|indemniz|reclamaci|lesion|accidente|contrato|litigio|querella",
    r"avvocat|tribunale|giudice|legale|querela|denuncia|diffida|gdpr|dati personali|privacy|garante|stampa|polizia"
    r"|risarc|reclamo|ferit"
    r"|incidente|contratto|causa legale",
    r"advogad|tribunal|processar|processo judicial|jurídic|legal|denúncia|lgpd|rgpd|dados pessoais|privacidade"
    r"|procon|imprensa|polícia"
    r"|indeniza|indemniza|reclamaç|ferid|acidente|contrato|litígio",
    r"advocaat|rechtbank|rechter|juridisch|rechtszaak|aanklag|avg\b|gdpr|persoonsgegevens|privacy|toezichthouder"
    r"|pers\b|politie"
    r"|schadevergoed|klacht|gewond|ongeluk|contract|aansprakelijk",
    r"prawnik|adwokat|sąd(?:u|em|owy|owa)?\b|rodo|dane osobowe|policj|skarg|odszkodow|адвокат|юрист|суд(?:а|е|ом"
    r"|ебн\w*)?\b|персональн|полици|жалоб|компенсац|avukat|mahkeme|davac|dava\b"
    r"|kvkk|kişisel veri|polis|şikayet|tazminat",
    r"弁護士|裁判|訴訟|個人情報|警察|苦情|賠償|律师|律師|法院|起诉|起訴|个人信息|警方|投诉|赔偿|변호사|소송|법원"
    r"|개인정보|경찰|배상"
    r"|محام|محكمة|قانون|بيانات شخصية|شرطة|تعويض|ทนาย|ศาล|ฟ้อง|ข้อมูลส่วนบุคคล|ตำรวจ|ชดเชย",
)


def _pattern(beginnings: tuple[str, ...]) -> re.Pattern[str]:
    # Scripts without spaces between words have no beginnings of words either.
    spaced, unspaced = "|".join(beginnings[:-1]), beginnings[-1]
    return re.compile(rf"\b(?:{spaced})|{unspaced}", re.IGNORECASE)


_KINDS: Final = {"security": _pattern(_SECURITY), "legal": _pattern(_LEGAL)}


def stake_words(text: str) -> list[str]:
    """Return the kinds (`security`, `legal`) that words of `text` speak of."""
    return [kind for kind, pattern in _KINDS.items() if pattern.search(text)]
