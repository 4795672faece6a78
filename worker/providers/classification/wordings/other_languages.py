"""What servers say in languages other than English."""

from worker.providers.classification.subject import Predicate, Subject
from worker.providers.classification.wording import say, say_substrings

FULL = (
    say(
        Subject.MAILBOX,
        Predicate.FULL,
        # French, German, Spanish, Italian, Portuguese, Dutch
        *(
            "boîte pleine",
            "boite pleine",
            "quota depasse",
            "boîte aux lettres pleine",
            "boite aux lettres pleine",
        ),
        *("boîte du destinataire pleine", "boite du destinataire pleine", "boîte aux lettres est pleine"),
        *("postfach voll", "postfach ist voll", "postfach des empfängers ist voll", "mailbox ist voll", "mailbox voll"),
        *("speicherplatz überschritten", "quota überschritten", "speicherplatz des empfängers ist erschöpft"),
        *(
            "buzón lleno",
            "buzon lleno",
            "buzón está lleno",
            "cuota excedida",
            "ha superado su cuota",
            "espacio insuficiente",
        ),
        *("casella piena", "casella postale piena", "mailbox piena", "quota superata", "casella di posta piena"),
        *("caixa de correio cheia", "caixa postal cheia", "caixa cheia", "cota excedida", "quota excedida"),
        *("mailbox is vol", "postvak is vol", "postvak vol", "quotum overschreden"),
        # Polish, Czech, Hungarian, Romanian, Turkish, Swedish, Danish, Norwegian, Finnish
        *(
            "skrzynka pełna",
            "skrzynka jest pełna",
            "przekroczony limit",
            "przepełniona skrzynka",
            "skrzynka przepełniona",
        ),
        *(
            "schránka je plná",
            "plná schránka",
            "překročena kvóta",
            "postafiók megtelt",
            "cutie poștală plină",
        ),
        *(
            "posta kutusu dolu",
            "kota aşıldı",
            "kotası dolu",
            "brevlådan är full",
            "postkassen er fuld",
            "postkassen er full",
        ),
        *("postilaatikko on täynnä", "kvoten är överskriden"),
        # Russian, Ukrainian, Greek
        *("почтовый ящик переполнен", "ящик переполнен", "превышена квота", "квота превышена", "скринька переповнена"),
        *("поштова скринька переповнена", "γραμματοκιβώτιο είναι γεμάτο"),
        plain=True,
    ),
    say_substrings(
        Subject.MAILBOX,
        Predicate.FULL,
        # Japanese, Chinese, Korean
        *(
            "メールボックスがいっぱい",
            "メールボックスが一杯",
            "容量を超え",
            "容量オーバー",
            "邮箱已满",
            "邮箱空间已满",
            "信箱已满",
            "郵箱已滿",
        ),
        *("信箱已滿", "超过配额", "超出配额", "收件箱已满", "메일함이 가득", "용량을 초과", "용량 초과", "용량이 초과"),
        plain=True,
    ),
)
DISABLED = (
    say(
        Subject.MAILBOX,
        Predicate.DISABLED,
        *("compte archivé", "compte archive", "compte bloqué", "compte bloque", "compte désactivé", "compte desactive"),
        *(
            "compte suspendu",
            "boîte du destinataire archivée",
            "boite du destinataire archivee",
            "deaktiviert",
            "gesperrt",
        ),
        *("inaktiv", "desactivado", "desactivada", "deshabilitado", "deshabilitada", "inactivo", "cuenta suspendida"),
        *(
            "disattivato",
            "disattivata",
            "disabilitato",
            "disabilitata",
            "sospesa",
            "inattiva",
            "desativado",
            "desativada",
        ),
        *("conta suspensa", "gedeactiveerd", "geblokkeerd", "konto zablokowane", "skrzynka zablokowana", "nieaktywne"),
        *(
            "nieaktywna",
            "účet je zablokován",
            "devre dışı",
            "askıya alındı",
            "inaktiverat",
            "deaktiveret",
            "deaktivert",
        ),
        *(
            "ящик заблокирован",
            "почтовый ящик отключен",
            "учетная запись отключена",
            "аккаунт заблокирован",
        ),
        *("заблокирован", "заблокована"),
    ),
    say_substrings(
        Subject.MAILBOX,
        Predicate.DISABLED,
        *("停用", "已被禁用", "已冻结", "被冻结", "被停用", "無効になって", "休眠", "휴면", "사용이 중지", "정지된"),
    ),
)
NOT_FOUND = (
    say(
        Subject.MAILBOX,
        Predicate.NOT_FOUND,
        # French, German, Spanish, Italian, Portuguese, Dutch
        *("utilisateur inconnu", "adresse inconnue", "destinataire inconnu", "adresse inexistante"),
        *(
            "boîte inconnue",
            "adresse email invalide",
            "destinataire invalide",
            "adresse d au moins un destinataire invalide",
        ),
        *(
            "unbekannter empfänger",
            "empfänger unbekannt",
            "unbekannter benutzer",
            "benutzer unbekannt",
        ),
        *(
            "adresse unbekannt",
            "empfängeradresse unbekannt",
            "kein solcher benutzer",
            "unbekannte adresse",
        ),
        *("empfängeradresse existiert nicht", "postfach existiert nicht", "ungültiger empfänger"),
        *("usuario desconocido", "destinatario desconocido", "dirección desconocida"),
        *("cuenta inexistente", "buzón inexistente", "usuario no encontrado", "destinatario no válido"),
        *("utente sconosciuto", "utente inesistente", "casella inesistente", "destinatario sconosciuto"),
        *(
            "indirizzo inesistente",
            "mailbox inesistente",
            "nessun utente",
            "destinatario inesistente",
            "utente non trovato",
        ),
        *("usuário desconhecido", "usuario desconhecido", "usuário inexistente"),
        *("destinatário desconhecido", "caixa postal inexistente", "conta inexistente", "usuário não encontrado"),
        *("onbekende gebruiker", "gebruiker onbekend", "onbekende ontvanger", "adres bestaat niet"),
        # Polish, Czech, Slovak, Hungarian, Romanian, Turkish, Swedish, Danish, Norwegian, Finnish
        *(
            "nieznany użytkownik",
            "nieznany odbiorca",
            "użytkownik nieznany",
            "nie ma takiego użytkownika",
        ),
        *("brak takiego użytkownika", "konto nie istnieje", "uživatel neexistuje", "neznámý uživatel"),
        *("neznámy používateľ", "schránka neexistuje", "ismeretlen felhasználó", "ismeretlen címzett"),
        *(
            "utilizator necunoscut",
            "destinatar necunoscut",
            "bilinmeyen kullanıcı",
            "kullanıcı bulunamadı",
        ),
        *("böyle bir kullanıcı yok", "alıcı bulunamadı", "okänd användare", "okänd mottagare"),
        *(
            "ukendt bruger",
            "ukjent bruker",
            "ukendt modtager",
        ),
        *("tuntematon käyttäjä", "tuntematon vastaanottaja", "vastaanottajaa ei löydy"),
        # Russian, Ukrainian, Greek, Bulgarian
        *("пользователь не найден", "нет такого пользователя", "неизвестный пользователь"),
        *("получатель не найден", "неизвестный получатель", "ящик не найден", "адрес не существует"),
        *(
            "адресат неизвестен",
            "недействительный адрес",
            "користувача не існує",
            "немає такого користувача",
        ),
        *("άγνωστος χρήστης", "άγνωστος παραλήπτης", "непознат потребител"),
    ),
    say_substrings(
        Subject.MAILBOX,
        Predicate.NOT_FOUND,
        # Japanese, Chinese, Korean, Thai, Vietnamese
        *(
            "宛先が見つかり",
            "存在しません",
            "存在しない",
            "ユーザーが見つかり",
            "ユーザが存在",
            "宛先不明",
            "見つかりません",
        ),
        *(
            "用户不存在",
            "收件人不存在",
            "邮箱不存在",
            "地址不存在",
            "帐号不存在",
            "账号不存在",
            "不存在",
            "無此用戶",
            "無此使用者",
        ),
        *(
            "收件人地址错误",
            "未找到",
            "找不到收件人",
            "존재하지 않",
            "없는 사용자",
            "수신자를 찾을 수 없",
            "알 수 없는 사용자",
        ),
        *("없는 계정", "ไม่พบผู้ใช้", "không tồn tại"),
    ),
)
DOMAIN_NOT_FOUND = (
    say(
        Subject.DOMAIN,
        Predicate.NOT_FOUND,
        *(
            "domaine inconnu",
            "domaine inexistant",
            "domaine n'existe pas",
            "domain unbekannt",
            "domain existiert nicht",
        ),
        *(
            "unbekannte domain",
            "dominio desconocido",
            "dominio inexistente",
            "dominio sconosciuto",
            "domínio inexistente",
        ),
        *("domínio não existe", "onbekend domein", "domein bestaat niet", "nieznana domena", "domena nie istnieje"),
        *("doména neexistuje", "домен не существует", "неизвестный домен", "домен не найден", "alan adı bulunamadı"),
        *("okänd domän", "domänen finns inte"),
    ),
    say_substrings(
        Subject.DOMAIN,
        Predicate.NOT_FOUND,
        "ドメインが存在し",
        "域名不存在",
        "网域不存在",
        "도메인이 존재하지",
        "도메인을 찾을 수",
    ),
)
UNWANTED = (
    say(
        Subject.MESSAGE,
        Predicate.UNWANTED,
        *("indésirable", "indesirable", "pourriel", "unerwünschte", "spamverdacht", "als spam", "correo no deseado"),
        *("posta indesiderata", "lixo eletrônico", "como spam", "come spam", "comme spam", "jako spam", "ongewenste"),
        *("похоже на спам", "спам", "спамом", "istenmeyen", "skräppost"),
    ),
    say_substrings(Subject.MESSAGE, Predicate.UNWANTED, "スパム", "迷惑メール", "垃圾邮件", "垃圾郵件", "스팸"),
)
LISTED = (
    say(
        Subject.CLIENT,
        Predicate.LISTED,
        *(
            "liste noire",
            "schwarze liste",
            "schwarzen liste",
            "lista negra",
            "lista nera",
            "czarnej liście",
            "zwarte lijst",
        ),
        *("чёрном списке", "черном списке", "чорному списку", "kara liste", "kara listede", "adresse ip bloquée"),
        plain=True,
    ),
    say_substrings(
        Subject.CLIENT, Predicate.LISTED, "ブラックリスト", "黑名单", "黑名單", "블랙리스트", "차단된 ip", plain=True
    ),
)
RATE_EXCEEDED = (
    say(
        Subject.CLIENT,
        Predicate.RATE_EXCEEDED,
        *(
            "trop de connexions",
            "trop de messages",
            "trop de destinataires",
            "zu viele verbindungen",
            "zu viele nachrichten",
        ),
        *(
            "zu viele empfänger",
            "demasiadas conexiones",
            "demasiados mensajes",
            "troppe connessioni",
            "troppi messaggi",
        ),
        *("muitas conexões", "te veel verbindingen", "zbyt wiele połączeń", "слишком много", "çok fazla bağlantı"),
        plain=True,
    ),
    say_substrings(
        Subject.CLIENT, Predicate.RATE_EXCEEDED, "频率", "頻率", "发送过快", "接続数", "너무 많", plain=True
    ),
)
REFUSED = (
    say(
        Subject.UNNAMED,
        Predicate.REFUSED,
        *(
            "refusé",
            "refuse",
            "rejeté",
            "rejete",
            "abgelehnt",
            "abgewiesen",
            "verweigert",
            "rechazado",
            "rifiutato",
            "rejeitado",
        ),
        *(
            "geweigerd",
            "odrzucona",
            "odrzucono",
            "odmítnuto",
            "отклонено",
            "отказано",
            "reddedildi",
            "avvisades",
            "запрещено",
        ),
    ),
    say_substrings(Subject.UNNAMED, Predicate.REFUSED, "拒绝", "拒絕", "拒否", "거부"),
)
