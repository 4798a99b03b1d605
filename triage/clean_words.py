"""The words that mail programs and polite people put around a message, by language.

Fragments of regular expressions: the modules that use them say where on a line they count.
"""

from __future__ import annotations

from typing import Final

ORIGINAL: Final = (
    "original message|original appointment|reply message|ursprüngliche nachricht|originalnachricht"
    "|original-?nachricht|message d'origine|message original|message initial|mensaje original|mensagem original"
    "|messaggio originale|oorspronkelijk bericht|origineel bericht|ursprungligt meddelande|originalmeddelande"
    "|oprindelig meddelelse|opprinnelig melding|alkuperäinen viesti|oryginalna wiadomość|wiadomość oryginalna"
    "|původní zpráva|исходное сообщение|оригинальное сообщение|eredeti üzenet|mesaj original|özgün ileti"
    "|orijinal mesaj|元のメッセージ|original mail|原始邮件|原始郵件|邮件原件|원본 메시지|원본 메일"
)
FORWARDED: Final = (
    "forwarded message|forwarded by .{1,60}|begin forwarded message|weitergeleitete nachricht|weitergeleitete mail"
    "|anfang der weitergeleiteten (?:nachricht|e-mail)|message transféré|début du message (?:transféré|réexpédié)"
    "|mensaje reenviado|inicio del mensaje reenviado|mensagem encaminhada|mensagem reencaminhada"
    "|início da mensagem (?:encaminhada|reencaminhada)|messaggio inoltrato|inizio (?:del )?messaggio inoltrato"
    "|(?:begin )?doorgestuurd bericht|vidarebefordrat (?:meddelande|mejl)|videresendt (?:besked|melding|meddelelse)"
    "|välitetty viesti|przekazana wiadomość|wiadomość przekazana|přeposlaná zpráva|пересылаемое сообщение"
    "|iletilen mesaj|転送メッセージ|転送されたメッセージ|转发的邮件|轉寄郵件|전달된 메시지"
)
# The words in front of the colons of a quoted mail's header, by what they stand for.
HEADER_WORDS: Final = {
    "from": "from|von|de|da|van|från|fra|frå|lähettäjä|od|от|от кого|від|kimden|gönderen|feladó|από|差出人|送信元"
    "|发件人|寄件者|보낸 사람|보낸사람",
    "date": "date|sent|datum|gesendet|envoyé|envoyé le|fecha|enviado|enviado el|enviada em|enviado em|enviada|data"
    "|inviato|data invio|verzonden|verzonden op|skickat|sendt|dato|lähetetty|wysłano|data wysłania|odesláno|дата"
    "|отправлено|надіслано|tarih|gönderildi|送信日時|日付|发送时间|日期|寄件日期|보낸 날짜|날짜|küldve",
    "to": "to|an|à|a|para|aan|till|til|vastaanottaja|do|komu|кому|kime|alıcı|címzett|宛先|收件人|收件者|받는 사람"
    "|받는사람",
    "subject": "subject|betreff|objet|asunto|assunto|oggetto|onderwerp|ämne|emne|aihe|temat|předmět|тема|konu|tárgy"
    "|件名|主题|主旨|제목",
    "other": "cc|bcc|cci|cco|ccn|kopie|kopia|kopi|copie|copia|копия|blindkopie|reply-to|antwort an|répondre à"
    "|responder a|antwoord aan|importance|priority|wichtigkeit|priorität|attachments|anlagen|anlage|pièces jointes"
    "|adjuntos|anexos|allegati|bijlagen|organization|抄送|副本|참조|received|mailed-by|signed-by",
}
# What people write above a mail they pass on. Only counts when it is (nearly) all they wrote.
SEE_BELOW: Final = (
    r"\bf\.?y\.?i\b|\bbelow\b|\bforward|\bfwd?\b|\bunten|\bs\. ?u\.|weiterleit|weitergeleitet|\bzur (?:info|kenntnis)"
    r"|\bz\. ?k\b|ci-dessous|ci-après|pour info|transf[eéè]r|abajo|reenv[ií]|abaixo|encaminh|di seguito|\bsotto\b"
    r"|inoltr|hieronder|ter info|doorgestuurd|doorstur|nedan|nedenfor|poniżej|ниже|以下|下記|転送|见下|参见|아래"
)
DEVICES: Final = (
    r"\bios\b|iphone|ipad|ipod|apple watch|android|galaxy|samsung|blackberry|nokia|huawei|xiaomi|pixel|windows phone"
    r"|lumia|htc|sony|motorola|mobile|smartphone|handy|mobiltelefon|tablet|phone|cell|device|téléphone|portable|móvil"
    r"|movil|celular|telefono|telefoon|mobil|outlook|yahoo|gmail|gmx|web\.de|protonmail|proton mail|mail|airmail"
    r"|spark|thunderbird|aol|hey|fastmail|mailbird|superhuman"
)
SENT: Final = (
    r"sent (?:from|via|with|using|by)|get (?:outlook|bluemail|typeapp|yahoo mail) for"
    r"|gesendet (?:von|mit|via|aus|über)|von mein\w+|diese nachricht wurde von"
    r"|envoyé (?:de|depuis|avec|à partir de|via|par)|télécharge[rz] outlook"
    r"|enviad[oa] (?:desde|con|de|do|da|pelo|pela|via|por|a partir)|obtener outlook|obter o outlook"
    r"|inviat[oa] (?:da|dal|con|tramite)|ottieni outlook|scarica outlook|verst?uurd (?:vanaf|met|via|vanuit)"
    r"|verzonden (?:vanaf|met|via|vanuit)|outlook (?:voor|für|pour|para|per|for)\b|skickat från|skickades från"
    r"|sendt fra|lähetetty|wysłan[eoay] z|odesláno z|отправлено (?:с|из)|надіслано з|küldve|trimis de|gönderildi"
)
REGARDS: Final = (
    r"(?:with )?(?:my |the )?(?:kind(?:est)?|best|warm(?:est)?|many|very best)(?: and best)? (?:regards|wishes)"
    r"|regards|all the best|best|cheers|rgds|kr|br|(?:yours )?(?:sincerely|truly|faithfully)(?: yours)?"
    r"|respectfully(?: yours)?|cordially|take care|have a (?:nice|great|good|lovely) (?:day|evening|weekend|week|one)"
    r"|(?:i am |i'm )?looking forward to (?:hearing from you|your (?:reply|response|answer|feedback))(?: soon)?"
    r"|(?:mit )?(?:ganz )?(?:freundlich|best|herzlich|lieb|viel|schön|sonnig)\w{0,3} (?:und \w+ )?(?:grüße|grüßen"
    r"|gruß|gruss|grüsse|grüssen|gruessen|gruesse)(?: aus \w+)?|grüße|grüsse|gruß|gruss|mfg|m\.f\.g\.|vg|lg|bg|hg"
    r"|hochachtungsvoll|schönen tag(?: noch)?|schönes wochenende"
    r"|(?:bien )?(?:cordialement|amicalement|respectueusement)(?: vôtre)?|bien à vous"
    r"|(?:avec )?(?:mes |nos )?(?:meilleures|sincères|cordiales|respectueuses) salutations"
    r"|salutations(?: distinguées| cordiales)?|(?:je|nous) vous prie\w* .{5,90}|veuillez agréer.{0,120}|cdlt|cdt"
    r"|bonne (?:journée|soirée)(?: à vous)?|(?:un |reciban? un |con un )?(?:cordial )?saludos?(?: cordiales"
    r"| cordial)?|atentamente|atte\.?|un abrazo|(?:que tenga(?:n)? )?(?:un )?buen día|atenciosamente|atentamente|att"
    r"|(?:com os )?(?:melhores |cordiais |meus )?cumprimentos|abraços?|cordialmente"
    r"|(?:porgo |i miei )?(?:cordiali|distinti) saluti|(?:un )?(?:cordiale )?saluto|saluti|buona (?:giornata|serata)"
    r"|(?:met )?(?:vriendelijke|hartelijke|beste|hoogachtende) groet(?:en)?|groet(?:en|jes)?|mvg|hoogachtend"
    r"|fijne dag(?: nog)?|(?:med )?(?:vänliga?|venlig|vennlig|bästa|bedste|beste) (?:hälsning(?:ar)?|hilsen(?:er)?)"
    r"|hälsningar|hilsen|mvh|vh|kh|dbh|m\.v\.h\.|ystävällisin terveisin|terveisin"
    r"|z (?:poważaniem|powazaniem|wyrazami szacunku)|pozdrawiam(?: serdecznie)?|pozdrowienia|s pozdravem|с уважением"
    r"|с наилучшими пожеланиями|з повагою|saygılarımla|iyi çalışmalar|üdvözlettel|cu stimă|με εκτίμηση|敬具|以上"
    r"|以上です|草々|此致|此致敬礼|敬礼|祝好|顺祝商祺|(?:以上、?)?(?:どうぞ|何卒"
    r"|ご(?:確認|対応|返信)の(?:ほど|程)、?)?(?:よろしく"
    r"|宜しく)(?:お願い(?:いた|致|申し上げ)?(?:します|ます|いたします))?(?:。)?"
)
THANKS: Final = (
    r"thanks|thank you|thx|ty|many thanks|thanks (?:again|so much|a lot|very much|in advance|and regards|& regards"
    r"|for your (?:help|support|time))|thank you (?:very much|so much|in advance|again"
    r"|for your (?:help|support|time|attention|understanding))|thanks and (?:best |kind )?regards|with thanks|danke"
    r"|danke (?:schön|sehr|im voraus|vorab|und (?:viele |liebe )?gr(?:u|ü)(?:ß|ss)e?)"
    r"|(?:vielen|besten|herzlichen|lieben|schönen) dank(?: im voraus| vorab| für ihre hilfe| und .{4,25})?|dankeschön"
    r"|merci|merci (?:beaucoup|d'avance|par avance|de votre aide|pour votre aide)"
    r"|(?:muchas |mil )?gracias(?: de antemano| por adelantado| por su ayuda)?"
    r"|(?:muito )?obrigad[oa](?: desde já| pela ajuda)?|grat[oa]|desde já(?: agradeço)?"
    r"|(?:mille |tante )?grazie(?: mille| in anticipo)?|(?:alvast )?(?:hartelijk |heel erg )?(?:bedankt"
    r"|dank)(?: u wel| je wel| alvast| voor uw hulp)?|tack(?: på förhand| så mycket)?|(?:på forhånd )?takk?"
    r"|mange takk?|kiitos|(?:z góry )?dziękuję|děkuji|(?:заранее )?спасибо|дякую|teşekkürler|ありがとうございます"
    r"|ありがとうございました|谢谢|謝謝|감사합니다"
)
