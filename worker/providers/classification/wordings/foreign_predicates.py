"""Predicates of other languages. The noun beside them tells what they are about, or the stage.

German, French, Spanish, Italian, Portuguese, Dutch, Polish, Czech, Slovak, Swedish, Danish, Norwegian, Finnish,
Hungarian, Romanian, Turkish, Russian, Ukrainian, Bulgarian, Greek; Japanese, Chinese, Korean, Thai, Vietnamese.
"""

from worker.providers.classification.subject import Predicate, Subject
from worker.providers.classification.wording import say, say_substrings

FULL = (
    say(
        Subject.UNNAMED,
        Predicate.FULL,
        *("voll", "überfüllt", "ueberfuellt", "pleine", "plein", "saturée", "saturé", "llena", "lleno", "piena"),
        *("pieno", "cheia", "cheio", "lotada", "pełna", "pelna", "przepełniona", "plná", "plný", "täynnä", "plină"),
        *("dolu", "переполнен", "переполнена", "заполнен", "переповнений", "переповнена", "пълна", "γεμάτο", "fuld"),
        *("quota dépassé", "quota erreicht", "quota atteint", "kontingent überschritten", "speicherplatz erschöpft"),
        *("kein speicherplatz", "nicht genügend speicherplatz", "espace insuffisant"),
        *("espace de stockage insuffisant", "sin espacio", "espacio en disco", "límite de almacenamiento"),
        *("limite de almacenamiento", "cuota superada", "spazio esaurito", "spazio insufficiente", "quota esaurita"),
        *("espaço insuficiente", "sem espaço", "limite excedido", "onvoldoende ruimte", "brak miejsca"),
        *("nedostatek místa", "překročila kvótu", "kvóta překročena", "kvoten", "överskriden", "kota doldu"),
        *("kotası aşıldı", "kotasını aştı", "недостаточно места", "квоту", "квоты", "лимит ящика"),
        *("перевищено квоту", "перевищена квота", "kiintiö", "megtelt", "depășit"),
        plain=True,
    ),
    say_substrings(
        Subject.MAILBOX,
        Predicate.FULL,
        *("переполн", "переповн", "いっぱい", "容量不足", "容量を超過", "空き容量", "已满", "已滿", "满了"),
        *("超过容量", "超出容量", "超出限额", "空间不足", "空間不足", "가득", "용량 부족", "용량이 부족"),
        *("đã đầy", "hộp thư đầy", "เต็ม"),
        plain=True,
    ),
)
DISABLED = (
    say(
        Subject.UNNAMED,
        Predicate.DISABLED,
        *("geschlossen", "stillgelegt", "gekündigt", "fermé", "fermée", "clôturé", "résilié", "supprimé"),
        *("suspendue", "inactif", "cerrada", "suspendida", "suspendido", "bloqueada", "bloqueado"),
        *("dada de baja", "inactiva", "chiusa", "chiuso", "sospeso", "bloccato", "bloccata", "cessata", "inativo"),
        *("inativa", "encerrada", "suspenso", "cancelada", "opgeheven", "afgesloten", "inactief", "zawieszone"),
        *("zawieszona", "wyłączone", "nieaktywny", "zablokowany", "zablokowana", "zrušena", "zrušen", "deaktivován"),
        *("deaktivována", "blokována", "zablokována", "neaktivní", "avslutat", "spärrat", "spärrad", "lukket"),
        *("spærret", "stengt", "sperret", "suljettu", "poistettu käytöstä", "letiltva", "felfüggesztve", "megszűnt"),
        *("dezactivat", "suspendat", "blocat", "kapatıldı", "kapalı", "pasif", "заблокирована", "отключён"),
        *("отключена", "отключен", "закрыт", "неактивен", "приостановлен", "деактивирован", "вимкнено", "неактивний"),
        *("деактивиран", "απενεργοποιημένος"),
    ),
    say_substrings(
        Subject.MAILBOX,
        Predicate.DISABLED,
        *("заблокирован", "停止され", "利用停止", "凍結", "解約", "禁用", "注销", "已停用", "被封", "锁定", "鎖定"),
        *("해지", "탈퇴", "차단된 계정", "bị khóa", "bị vô hiệu", "ถูกระงับ", "ถูกปิด"),
    ),
)
RESTRICTED = (
    say(
        Subject.MAILBOX,
        Predicate.RESTRICTED,
        *("nimmt keine nachrichten von", "akzeptiert keine", "nimmt keine mails von", "n'accepte pas"),
        *("n'accepte que", "no acepta mensajes", "no acepta correos", "non accetta messaggi", "não aceita mensagens"),
        *("accepteert geen", "nie przyjmuje", "nepřijímá", "tar inte emot", "modtager ikke", "tar ikke imot"),
        *("не принимает", "не приймає", "vom empfänger abgelehnt", "vom empfänger blockiert"),
        *("refusé par le destinataire", "rechazado por el destinatario", "rifiutato dal destinatario"),
        *("rejeitado pelo destinatário", "keine berechtigung", "pas autorisé à envoyer", "no tiene permiso"),
        *("non è autorizzato", "não tem permissão", "geen toestemming", "brak uprawnień"),
        plain=True,
    ),
    say_substrings(
        Subject.MAILBOX,
        Predicate.RESTRICTED,
        *("受信拒否", "受信を拒否", "ドメイン指定", "拒收", "屏蔽", "수신차단", "수신 차단", "수신거부"),
        *("수신을 거부", "수신 거부"),
        plain=True,
    ),
)
NOT_FOUND = (
    say(
        Subject.UNNAMED,
        Predicate.NOT_FOUND,
        *("unbekannt", "unbekannte", "unbekannter", "unbekannten", "existiert nicht", "nicht gefunden"),
        *("nicht bekannt", "nicht vorhanden", "gibt es nicht", "ungültig", "ungültige", "ungueltig"),
        *("nicht zustellbar", "nicht existent", "inconnu", "inconnue", "n'existe pas", "introuvable", "invalide"),
        *("inexistante", "n'existe plus", "non valide", "desconocido", "desconocida", "no existe", "inexistente"),
        *("no encontrado", "no encontrada", "inválido", "inválida", "no válida", "no válido", "no se encuentra"),
        *("no se encontró", "no fue encontrada", "sconosciuto", "sconosciuta", "non esiste", "non trovato"),
        *("non trovata", "non valido", "inesistente", "desconhecido", "desconhecida", "não existe", "nao existe"),
        *("não encontrado", "não encontrada", "invalido", "onbekend", "onbekende", "bestaat niet", "niet gevonden"),
        *("ongeldig", "niet bekend", "ongeldige", "nieznany", "nieznana", "nie istnieje", "nie znaleziono"),
        *("nieprawidłowy", "nie ma takiego", "nieistniejący", "neznámý", "neznámá", "neexistuje", "nenalezen"),
        *("nebyl nalezen", "neplatná", "neznámy", "neplatný", "nenalezena", "okänd", "finns inte", "existerar inte"),
        *("hittades inte", "ogiltig", "ukendt", "findes ikke", "eksisterer ikke", "ukjent", "finnes ikke", "ugyldig"),
        *("tuntematon", "ei ole olemassa", "ei löydy", "ei löytynyt", "virheellinen", "ismeretlen", "nem létezik"),
        *("nem található", "érvénytelen", "necunoscut", "nu există", "nu a fost găsit", "bilinmeyen"),
        *("bulunamadı", "mevcut değil", "geçersiz", "yok", "tanımlı değil", "не существует", "не найден"),
        *("не найдена", "неизвестен", "неизвестный", "неизвестна", "недействителен", "неверный", "удален", "удалён"),
        *("не зарегистрирован", "не існує", "не знайдено", "невідомий", "невірний", "не съществува", "непознат"),
        *("не е намерен", "δεν υπάρχει", "άγνωστος", "δεν βρέθηκε", "μη έγκυρη"),
    ),
    say_substrings(
        Subject.MAILBOX,
        Predicate.NOT_FOUND,
        *("неизвестн", "невідом", "存在しておりません", "該当する", "無効なアドレス", "宛先アドレスが", "ユーザ不明"),
        *("不明なユーザ", "没有找到", "無此", "查无此", "查無此", "没有此", "不正确的收件人", "无此", "地址错误"),
        *("地址无效", "收件人无效", "找不到", "查找不到", "찾을 수 없", "존재하지", "없는 주소", "잘못된 주소"),
        *("등록되지 않", "ไม่พบ", "ไม่มีอยู่", "không tìm thấy", "không có người dùng"),
    ),
)
TOO_LARGE = (
    say(
        Subject.MESSAGE,
        Predicate.TOO_LARGE,
        *("zu groß", "zu gross", "trop volumineux", "trop gros", "trop grand", "demasiado grande", "troppo grande"),
        *("muito grande", "te groot", "zbyt duża", "za duża", "příliš velká", "för stort", "for stor", "liian suuri"),
        *("túl nagy", "prea mare", "çok büyük", "слишком большой", "слишком большое", "слишком велик", "завеликий"),
        *("tamaño máximo", "taille maximale", "maximale größe", "dimensione massima", "tamanho máximo"),
        *("размер письма",),
    ),
    say_substrings(
        Subject.MESSAGE,
        Predicate.TOO_LARGE,
        *("大きすぎ", "サイズを超え", "サイズ超過", "サイズが", "邮件过大", "邮件太大", "大小超", "信件過大"),
        *("너무 큽", "크기를 초과", "quá lớn"),
    ),
)
SENDER = (
    say_substrings(
        Subject.SENDER,
        Predicate.REFUSED,
        *("发件人不存在", "发件人地址", "发件人域名", "发信人地址", "发信域名", "寄件者地址", "送信者アドレス"),
        *("送信元アドレス", "보낸 사람의 주소"),
        plain=True,
    ),
)
UNAVAILABLE = (
    say(
        Subject.SYSTEM,
        Predicate.UNAVAILABLE,
        *("vorübergehend", "voruebergehend", "zeitweise", "später erneut", "später noch einmal", "nicht verfügbar"),
        *("temporairement", "temporaire", "réessayer", "réessayez", "indisponible", "temporalmente", "más tarde"),
        *("temporáneamente", "no disponible", "temporaneamente", "temporaneo", "più tardi", "non disponibile"),
        *("temporariamente", "mais tarde", "indisponível", "tijdelijk", "tymczasowo", "tymczasowy", "później"),
        *("dočasně", "dočasná", "později", "tillfälligt", "senare", "midlertidigt", "midlertidig", "senere"),
        *("tilapäisesti", "väliaikaisesti", "myöhemmin", "átmenetileg", "később", "temporar", "mai târziu", "geçici"),
        *("daha sonra", "временно", "временная", "позже", "позднее", "тимчасово", "пізніше", "по късно", "προσωρινά"),
        *("αργότερα",),
    ),
    say_substrings(
        Subject.SYSTEM,
        Predicate.UNAVAILABLE,
        *("一時的", "しばらく", "後ほど", "暂时", "暫時", "稍后", "稍後", "일시적", "잠시 후", "나중에", "tạm thời"),
        *("ชั่วคราว",),
    ),
)
REFUSED = (
    say(
        Subject.UNNAMED,
        Predicate.REFUSED,
        *("nicht erlaubt", "nicht zugelassen", "nicht angenommen", "nicht akzeptiert", "blockiert", "interdit"),
        *("non autorisé", "bloqué", "bloquée", "refusée", "rejetée", "denegado", "no permitido", "prohibido"),
        *("rechazada", "negato", "non consentito", "respinto", "vietato", "rifiutata", "negado"),
        *("não permitido", "recusada", "recusado", "toegestaan", "niet toegestaan", "odmowa", "zabronione"),
        *("odrzucony", "odmítnut", "odmítnuta", "zamítnuto", "nekad", "avvisad", "tillåts inte", "afvist", "avvist"),
        *("hylätty", "estetty", "elutasítva", "respins", "engellendi", "отклонена", "отвергнуто", "заблокировано"),
        *("доступ запрещен", "відхилено", "заборонено", "отказан", "απορρίφθηκε"),
    ),
    say_substrings(
        Subject.UNNAMED,
        Predicate.REFUSED,
        *("отклон", "запрещ", "拒否され", "ブロック", "被拒", "禁止", "不允许", "退信", "차단", "금지", "từ chối"),
        *("ปฏิเสธ",),
    ),
)
