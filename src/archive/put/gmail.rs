//! What Gmail's own folders are for, by their names: an archive has no more of them; pure.

use crate::archive::stored::Stored;
use crate::mail::imap::Special;

/// What the names of Gmail's own folders begin with.
const OWN: [&str; 2] = ["[Gmail]/", "[Google Mail]/"];

/// Names of All Mail, Spam and Trash, in the languages in which Gmail is used most.
const ALL: &[&str] = &[
    "All Mail",
    "Alle Nachrichten",
    "Tous les messages",
    "Todos",
    "Tots",
    "Tots els missatges",
    "Tutti i messaggi",
    "Todos os e-mails",
    "Todo o correio",
    "Alle berichten",
    "Alle e-mails",
    "Alle mails",
    "Alla mail",
    "All e-post",
    "Kaikki viestit",
    "Wszystkie",
    "Všechny zprávy",
    "Všetky správy",
    "Összes levél",
    "Toate mesajele",
    "Sva pošta",
    "Vsa pošta",
    "Kõik kirjad",
    "Visas vēstules",
    "Visi laiškai",
    "Allur póstur",
    "Semua Email",
    "Semua Mel",
    "Lahat ng Mail",
    "Tất cả thư",
    // Gmail writes these marks as signs of their own.
    "T\u{e2}\u{301}t ca\u{309} Thư",
    "Вся почта",
    "Уся пошта",
    "Сва пошта",
    "Цялата поща",
    "Όλα τα μηνύματα",
    "Tüm Postalar",
    "כל הדואר",
    "كل البريد",
    "सभी मेल",
    "จดหมายทั้งหมด",
    "すべてのメール",
    "전체보관함",
    "所有邮件",
    "所有郵件",
];
const SPAM: &[&str] = &[
    "Spam",
    "Correo no deseado",
    "Correu brossa",
    "Posta indesiderata",
    "Skräppost",
    "Søppelpost",
    "Roskaposti",
    "Спам",
    "Thư rác",
    "Ανεπιθύμητα",
    "Gereksiz",
    "דואר זבל",
    "迷惑メール",
    "스팸함",
    "垃圾邮件",
    "垃圾郵件",
];
const TRASH: &[&str] = &[
    "Trash",
    "Bin",
    "Papierkorb",
    "Corbeille",
    "Papelera",
    "Paperera",
    "Cestino",
    "Lixeira",
    "Lixo",
    "Reciclagem",
    "Prullenbak",
    "Papirkurv",
    "Papirkurven",
    "Papperskorgen",
    "Roskakori",
    "Kosz",
    "Koš",
    "Kôš",
    "Kuka",
    "Coș de gunoi",
    "Otpad",
    "Smetnjak",
    "Prügikast",
    "Miskaste",
    "Šiukšliadėžė",
    "Rusl",
    "Tong Sampah",
    "Sampah",
    "Basurahan",
    "Thùng rác",
    "Thu\u{300}ng Ra\u{301}c",
    "Корзина",
    "Кошик",
    "Отпад",
    "Кошче",
    "Κάδος απορριμμάτων",
    "Çöp kutusu",
    "אשפה",
    "المهملات",
    "مهـملات",
    "ถังขยะ",
    "ゴミ箱",
    "휴지통",
    "已删除邮件",
    "垃圾桶",
];

/// The folder of Gmail's own from which a message is, if its name does not say here what it is for. Its owner knows.
pub fn unknown_folder(message: &Stored) -> Option<&str> {
    let folder = message.place.folder.as_str();
    let own = own(folder).filter(|_| message.marks.gmail.is_some())?;
    purpose(own).is_none().then_some(folder)
}

/// The name of one of Gmail's own folders, without what such names begin with. None: it is a folder of the user's.
pub(super) fn own(path: &str) -> Option<&str> {
    OWN.iter().find_map(|start| path.strip_prefix(start))
}

/// What an own folder is for. None: nobody knows; of the three that are archived it is any.
pub(super) fn purpose(name: &str) -> Option<Special> {
    let is = |names: &[&str]| {
        let name = name.to_lowercase();
        names.iter().any(|known| known.to_lowercase() == name)
    };
    [(ALL, Special::All), (SPAM, Special::Junk), (TRASH, Special::Trash)]
        .into_iter()
        .find_map(|(names, special)| is(names).then_some(special))
}
