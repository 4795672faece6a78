"""Nouns of other languages than English, and what they name: German, French, Spanish and so on, in every case."""

from worker.providers.classification.subject import Subject

_MAILBOX = """
    benutzer empfänger empfaenger empfängers empfängeradresse postfach postfachs mailadresse adresse emailadresse konto
    utilisateur destinataire destinataires boîte boite compte adresse l'adresse l'utilisateur
    usuario destinatario buzón buzon casilla cuenta dirección direccion
    utente casella indirizzo destinatari account
    usuário caixa conta endereço endereco destinatário
    gebruiker ontvanger postvak adres postbus
    użytkownik użytkownika uzytkownik odbiorca odbiorcy skrzynka skrzynki konto adres adresat
    uživatel příjemce schránka adresa účet používateľ príjemca
    användare mottagare mottagaren brevlåda brevlådan konto adressen adress
    bruger modtager modtageren postkasse postkassen bruker mottaker mottakeren
    käyttäjä vastaanottaja postilaatikko tili osoite
    felhasználó címzett postafiók fiók cím
    utilizator utilizatorul destinatar destinatarul cutie căsuța adresa cont contul
    kullanıcı alıcı posta kutusu hesap hesabı adresi
    пользователь пользователя получатель получателя адресат ящик ящика адрес аккаунт пользователю получателю учётная
    користувач одержувач отримувач скринька скриньку адреса потребител потребителят получател кутия
    χρήστης παραλήπτης γραμματοκιβώτιο διεύθυνση λογαριασμός
"""
_DOMAIN = """
    domäne domaine dominio domínio domein domena domeny doména doménu domän domänen domæne domene verkkotunnus tartomány
    domeniu domeniul домен домена домену домейн τομέας zieldomain empfängerdomain
"""
_SENDER = """
    absender absenders absenderadresse absenderdomain expéditeur expediteur l'expéditeur remitente mittente remetente
    afzender nadawca nadawcy odesílatel odesílatele odosielateľ avsändare avsändaren afsender afsenderen avsender
    lähettäjä feladó expeditor expeditorul expeditorului gönderen gönderici отправитель отправителя відправник
    подател αποστολέας
"""
_MESSAGE = """
    nachricht mail email message courriel mensaje correo messaggio mensagem bericht wiadomość wiadomości zpráva zprávu
    správa meddelande meddelandet besked beskeden melding meldingen viesti üzenet levél mesaj mesajul ileti mesajı
    сообщение сообщения письмо письма лист повідомлення съобщение μήνυμα nachrichten messaggi mensajes
"""
_SYSTEM = "server mailserver serveur servidor servidore serwer palvelin kiszolgáló sunucu сервер сервера διακομιστής"
_CLIENT = "ip-adresse ipadresse ip l'ip"
_CONNECTION = "verbindung connexion conexión connessione conexão verbinding połączenie připojení bağlantı соединение"

FOREIGN_NOUNS: dict[str, Subject] = {
    word: subject
    for subject, words in (
        (Subject.MAILBOX, _MAILBOX),
        (Subject.DOMAIN, _DOMAIN),
        (Subject.SENDER, _SENDER),
        (Subject.MESSAGE, _MESSAGE),
        (Subject.SYSTEM, _SYSTEM),
        (Subject.CLIENT, _CLIENT),
        (Subject.CONNECTION, _CONNECTION),
    )
    for word in words.split()
}
