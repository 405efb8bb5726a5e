//! What Gmail's own folders are for, by their names: an archive has no more of them; pure.

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
    "Tutti i messaggi",
    "Todos os e-mails",
    "Todo o correio",
    "Alle berichten",
    "Alle e-mails",
    "Alla mail",
    "All e-post",
    "Kaikki viestit",
    "Wszystkie",
    "Všechny zprávy",
    "Všetky správy",
    "Összes levél",
    "Toate mesajele",
    "Вся почта",
    "Уся пошта",
    "Όλα τα μηνύματα",
    "Tüm Postalar",
    "כל הדואר",
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
    "Корзина",
    "Кошик",
    "Κάδος απορριμμάτων",
    "Çöp kutusu",
    "אשפה",
    "ゴミ箱",
    "휴지통",
    "已删除邮件",
    "垃圾桶",
];

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
