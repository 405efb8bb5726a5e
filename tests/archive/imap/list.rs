//! Folders and what is in them, as servers of all sorts tell it.

use postkeep::archive::folders::Patterns;
use postkeep::archive::source::{Mark, Since, Source};
use postkeep::mail::imap::Special;

use super::*;

const FIELDS: &str = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID FROM X-POSTKEEP-OBJECT X-POSTKEEP-FILE)])";

#[test]
fn a_plain_old_server_is_listed() {
    // No LIST-STATUS, NAMESPACE, UIDPLUS, CONDSTORE nor UIDNEXT; names in modified UTF-7 and dots between their parts.
    let script = Script::play(&script::login(&format!(
        "S: B OK [CAPABILITY IMAP4rev1 X] welcome
        C: C LIST \"\" \"*\"
        S: * LIST (\\Noselect) \".\" Only
        S: * LIST () \".\" \"Entw&APw-rfe.1/2 * %\"
        S: * LIST () \".\" Ill
        S: * LIST () \".\" Odd
        S: C OK done
        C: D LIST \"\" \"\"
        S: * LIST (\\Noselect) \".\" \"\"
        S: D OK done
        C: E STATUS \"Entw&APw-rfe.1/2 * %\" (MESSAGES UIDNEXT UIDVALIDITY)
        S: * STATUS \"Entw&APw-rfe.1/2 * %\" (MESSAGES 2 UIDNEXT 6 UIDVALIDITY 9)
        S: E OK done
        C: F STATUS \"Ill\" (MESSAGES UIDNEXT UIDVALIDITY)
        S: F NO it is ill
        C: L STATUS \"Odd\" (MESSAGES UIDNEXT UIDVALIDITY)
        S: * STATUS \"Odd\" (MESSAGES 1 UIDNEXT 4294967296 UIDVALIDITY 9)
        S: L OK done
        C: G EXAMINE \"Entw&APw-rfe.1/2 * %\"
        S: * FLAGS (\\Seen)
        S: * 2 EXISTS
        S: * OK [UIDVALIDITY 9] ok
        S: G OK done
        C: H UID FETCH 1:* (UID RFC822.SIZE INTERNALDATE FLAGS {FIELDS}
        S: * 1 FETCH (UID 3 RFC822.SIZE 300 INTERNALDATE \" 7-Feb-1994 21:52:25 -0800\" FLAGS (\\Seen \\Recent $x) BODY[HEADER.FIELDS (MESSAGE-ID FROM X-POSTKEEP-OBJECT X-POSTKEEP-FILE)] {{45}}
        S: Message-ID: <a@b>
        S: From: Ann <ann@x.test>
        S:
        S: )
        S: * 2 FETCH (UID 5 FLAGS () RFC822.SIZE 10 BODY[HEADER.FIELDS (\"MESSAGE-ID\")] {{30}}
        S: X-Postkeep-Object: readme; 1
        S: )
        S: H OK done
        C: I EXAMINE \"Entw&APw-rfe.1/2 * %\"
        S: * 2 EXISTS
        S: * OK [UIDVALIDITY 9] ok
        S: I OK done
        C: J UID FETCH 6:* (UID RFC822.SIZE INTERNALDATE FLAGS {FIELDS}
        S: * 2 FETCH (UID 5 FLAGS ())
        S: J OK done
        C: K UID FETCH 6:* (UID)
        S: * 2 FETCH (UID 5)
        S: K OK done"
    )));
    let mut it = mailbox(script.account(), |_| ());
    let folders = it.imap.folders().unwrap();
    let mark = Mark { validity: 9, next: 6, messages: 2, mod_seq: None };
    let told: Vec<_> = folders.iter().map(|folder| (folder.path.as_str(), folder.mark)).collect();
    assert_eq!(told, [("Entwürfe/1/2 * %", Some(mark)), ("Ill", None), ("Odd", None)]);
    let listing = it.imap.list(&folders[0], Since::default()).unwrap();
    assert_eq!((listing.mark, listing.changed.len()), (mark, 0));
    let first = Listed {
        key: "9.3".into(),
        uid: 3,
        size: 300,
        date: Some("1994-02-08T05:52:25Z".parse().unwrap()),
        flags: vec!["\\Seen".into(), "$x".into()],
        message_id: Some("<a@b>".into()),
        from: Some("Ann <ann@x.test>".into()),
        ..Listed::default()
    };
    let second = Listed { key: "9.5".into(), uid: 5, size: 10, ours: true, ..Listed::default() };
    assert_eq!(listing.messages, [first, second]);
    // The last message is told whatever is asked.
    let listing = it.imap.list(&folders[0], Since { uid: 6, mod_seq: Some(4) }).unwrap();
    assert_eq!((listing.mark, listing.messages.len()), (mark, 0));
    drop(it);
    script.end();
}

#[test]
fn a_line_that_cannot_be_read_hides_no_message() {
    let (mut it, script) = scripted(&format!(
        "{EXAMINE}
        C: A UID FETCH 5:* (UID RFC822.SIZE INTERNALDATE FLAGS {FIELDS}
        S: * 1 FETCH (UID 5 RFC822.SIZE NIL FLAGS ())
        S: * 2 FETCH (UID 6 RFC822.SIZE 10 FLAGS NIL)
        S: * 3 FETCH (UID 7 RFC822.SIZE 10 FLAGS ())
        S: A OK done
        C: B UID FETCH 5:* (UID)
        S: * 1 FETCH (UID 5)
        S: * 2 FETCH (UID 6)
        S: * 3 FETCH (UID 7)
        S: B OK done
        C: C UID FETCH 6 (UID RFC822.SIZE INTERNALDATE FLAGS {FIELDS}
        S: * 2 FETCH (UID 6 RFC822.SIZE 10 FLAGS NIL)
        S: C OK done
        C: D EXAMINE \"Box\"
        S: * 3 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [UIDNEXT 10] ok
        S: D OK done
        C: E UID FETCH 5:* (UID RFC822.SIZE INTERNALDATE FLAGS {FIELDS}
        S: * 1 FETCH (UID (5))
        S: E OK done
        C: F UID FETCH 5:* (UID)
        S: * 1 FETCH (UID (5))
        S: F OK done"
    ));
    it.imap.folders().unwrap();
    let since = Since { uid: 5, mod_seq: None };
    let listing = it.imap.list(&folder(), since).unwrap();
    assert_eq!(listing.messages.iter().map(|listed| listed.uid).collect::<Vec<_>>(), [5, 6, 7]);
    // Where nobody can tell which messages there are nobody says so.
    let error = it.imap.list(&folder(), since).unwrap_err();
    assert!(error.one_line().contains("does not tell"), "{error:?}");
    assert!(it.rests.lock().unwrap().is_zero());
    drop(it);
    script.end();
}

#[test]
fn gmail_has_each_message_once_with_its_labels_and_tells_what_changed() {
    let items =
        format!("(UID RFC822.SIZE INTERNALDATE FLAGS X-GM-MSGID X-GM-THRID X-GM-LABELS EMAILID {FIELDS}");
    let script = Script::play(&script::login(&format!(
        "S: B OK [CAPABILITY IMAP4rev1 X-GM-EXT-1 LIST-STATUS SPECIAL-USE NAMESPACE CONDSTORE OBJECTID] welcome
        C: C LIST \"\" \"*\" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))
        S: * LIST () \"/\" INBOX
        S: * LIST () \"/\" Work
        S: * LIST (\\NoSelect) \"/\" [Gmail]
        S: * LIST (\\All) \"/\" \"[Gmail]/Alle Nachrichten\"
        S: * STATUS \"[Gmail]/Alle Nachrichten\" (MESSAGES 9 UIDNEXT 20 UIDVALIDITY 1 HIGHESTMODSEQ 100)
        S: * LIST (\\Junk) \"/\" [Gmail]/Spam
        S: * LIST (\\Trash) \"/\" [Gmail]/Papierkorb
        S: * LIST (\\Sent) \"/\" [Gmail]/Gesendet
        S: C OK done
        C: D NAMESPACE
        S: * NAMESPACE ((\"\" \"/\")) NIL NIL
        S: D OK done
        C: E EXAMINE \"[Gmail]/Alle Nachrichten\" (CONDSTORE)
        S: * 9 EXISTS
        S: * OK [UIDVALIDITY 1] ok
        S: * OK [UIDNEXT 21] ok
        S: * OK [HIGHESTMODSEQ 120] ok
        S: E OK done
        C: F UID FETCH 20:* {items}
        S: * 9 FETCH (X-GM-THRID 1266894439832287888 X-GM-MSGID 1278455344230334865 X-GM-LABELS (\"\\\\Inbox\" \\Sent Important \"B&APw-ro\") UID 20 RFC822.SIZE 7 EMAILID (M1278) FLAGS ())
        S: F OK done
        C: G UID FETCH 20:* (UID)
        S: * 9 FETCH (UID 20)
        S: G OK done
        C: H UID FETCH 1:19 {} (CHANGEDSINCE 100)
        S: * 2 FETCH (UID 4 FLAGS (\\Seen) X-GM-LABELS (Work) MODSEQ (110) RFC822.SIZE 5)
        S: * 9 FETCH (UID 20 FLAGS ())
        S: H OK done",
        items
    )));
    let mut it = mailbox(script.account(), |_| ());
    let folders = it.imap.folders().unwrap();
    let specials: Vec<_> = folders.iter().filter_map(|folder| folder.special).collect();
    assert_eq!(specials, [Special::All, Special::Junk, Special::Trash]);
    let choice = Patterns::new(&["All", "Work", "!Spam", "!Trash"]).choose(folders);
    assert_eq!((choice.taken.len(), choice.unmatched.len()), (1, 1));
    assert!(choice.unmatched[0].hint(it.imap.labels()).contains("gmail-query"));

    let listing = it.imap.list(&choice.taken[0], Since { uid: 20, mod_seq: Some(100) }).unwrap();
    assert_eq!(listing.mark, Mark { validity: 1, next: 21, messages: 9, mod_seq: Some(120) });
    let [message] = &listing.messages[..] else { panic!("{listing:?}") };
    assert_eq!(message.gmail, Some((1_278_455_344_230_334_865, 1_266_894_439_832_287_888)));
    assert_eq!(message.labels, ["\\Inbox", "\\Sent", "Important", "Büro"]);
    assert_eq!(message.email_id.as_deref(), Some("M1278"));
    let [changed] = &listing.changed[..] else { panic!("{listing:?}") };
    assert_eq!(
        (changed.uid, &changed.flags[..], &changed.labels[..]),
        (4, &["\\Seen".into()][..], &["Work".into()][..])
    );
    drop(it);
    script.end();
}

#[test]
fn a_change_that_is_told_in_part_is_asked_for_again() {
    let items = format!("(UID RFC822.SIZE INTERNALDATE FLAGS X-GM-MSGID X-GM-THRID X-GM-LABELS {FIELDS}");
    let script = Script::play(&script::login(&format!(
        "S: B OK [CAPABILITY IMAP4rev1 X-GM-EXT-1 LIST-STATUS SPECIAL-USE NAMESPACE CONDSTORE] welcome
        C: C LIST \"\" \"*\" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))
        S: * LIST (\\All) \"/\" All
        S: * STATUS All (MESSAGES 9 UIDNEXT 20 UIDVALIDITY 1 HIGHESTMODSEQ 120)
        S: C OK done
        C: D NAMESPACE
        S: * NAMESPACE ((\"\" \"/\")) NIL NIL
        S: D OK done
        C: E EXAMINE \"All\" (CONDSTORE)
        S: * 9 EXISTS
        S: * OK [UIDVALIDITY 1] ok
        S: * OK [UIDNEXT 20] ok
        S: * OK [HIGHESTMODSEQ 120] ok
        S: E OK done
        C: F UID FETCH 1:19 {items} (CHANGEDSINCE 100)
        S: * 1 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (110))
        S: * 2 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (110))
        S: * 2 FETCH (UID 4 FLAGS (\\Seen) X-GM-LABELS (Work) MODSEQ (110) RFC822.SIZE 5)
        S: * 3 FETCH (UID 5 MODSEQ (110))
        S: F OK done"
    )));
    let mut it = mailbox(script.account(), |_| ());
    let folders = it.imap.folders().unwrap();
    let listing = it.imap.list(&folders[0], Since { uid: 20, mod_seq: Some(100) }).unwrap();
    assert_eq!(listing.changed.iter().map(|one| one.uid).collect::<Vec<_>>(), [4]);
    assert_eq!(listing.mark.mod_seq, Some(100));
    drop(it);
    script.end();
}

#[test]
fn a_server_that_hangs_up_when_it_is_asked_what_changed_lists_what_is_new() {
    let items = format!("(UID RFC822.SIZE INTERNALDATE FLAGS {FIELDS}");
    let examine = "C: E EXAMINE \"Box\" (CONDSTORE)
        S: * 3 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: * OK [UIDNEXT 10] ok
        S: * OK [HIGHESTMODSEQ 120] ok
        S: E OK done";
    let login = |text: &str| {
        script::login(&format!(
            "S: B OK [CAPABILITY IMAP4rev1 LIST-STATUS CONDSTORE NAMESPACE] welcome\n{text}"
        ))
    };
    let first = login(&format!(
        "C: C LIST \"\" \"*\" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))
        S: * LIST () \"/\" Box
        S: C OK done
        C: D NAMESPACE
        S: * NAMESPACE ((\"\" \"/\")) NIL NIL
        S: D OK done
        {examine}
        C: F UID FETCH 9:* {items}
        S: * 3 FETCH (UID 9 RFC822.SIZE 5)
        S: F OK done
        C: G UID FETCH 9:* (UID)
        S: * 3 FETCH (UID 9)
        S: G OK done
        C: H UID FETCH 1:8 {items} (CHANGEDSINCE 100)
        cut"
    ));
    let second = login(&format!(
        "{examine}
        C: F UID FETCH 10:* {items}
        S: F OK done
        C: G UID FETCH 9:* (UID)
        S: * 3 FETCH (UID 9)
        S: G OK done
        C: H UID FETCH 1:8 {items} (CHANGEDSINCE 100)
        cut"
    ));
    let script = Script::play(&format!("{first}\nnext\n{second}"));
    let mut it = mailbox(script.account(), |_| ());
    let folders = it.imap.folders().unwrap();
    let listing = it.imap.list(&folders[0], Since { uid: 9, mod_seq: Some(100) }).unwrap();
    assert_eq!((listing.messages.len(), listing.mark.next), (1, 10));
    // What changed is asked for again.
    assert_eq!((listing.mark.mod_seq, listing.untold.as_deref()), (Some(100), Some("the server hung up")));
    drop(it);
    script.end();
}

#[test]
fn all_flags_are_told_in_one_go_and_a_break_does_not_begin_it_anew() {
    let (mut it, script) = scripted(&format!(
        "{EXAMINE}
        C: A UID FETCH 1:* (UID FLAGS)
        S: * 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))
        S: * 2 FETCH (FLAGS (\\Deleted))
        S: * 2 FETCH (UID 3 FLAGS ())
        cut
        next
        {EXAMINE}
        C: A UID FETCH 4:* (UID FLAGS)
        S: * 3 FETCH (UID 8 FLAGS ($x))
        S: * 4 FETCH (UID 9 FLAGS (\\Seen))
        S: A OK done
        C: B UID FETCH 1:* (UID FLAGS)
        S: B NO [SERVERBUG] Internal error
        C: C UID FETCH 1:* (UID FLAGS)
        S: C NO [THROTTLED] enough"
    ));
    let mut flags = || {
        let mut told = Vec::new();
        let ended = it.imap.flags(&folder(), 9, &mut |some| {
            told.extend(some.into_iter().map(|one| (one.key, one.flags.concat())));
            Ok(())
        });
        (ended, told)
    };
    let (ended, told) = flags();
    let told: Vec<_> = told.iter().map(|(key, flags)| (key.as_str(), flags.as_str())).collect();
    assert_eq!((ended.unwrap(), told), (true, vec![("7.1", "\\Seen"), ("7.3", ""), ("7.8", "$x")]));
    let (ended, told) = flags();
    assert_eq!((ended.unwrap(), told.len()), (false, 0));
    assert_eq!(flags().0.unwrap_err().kind(), postkeep::error::Kind::Paused);
    drop(it);
    script.end();
}

#[test]
fn a_message_that_cannot_be_described_is_listed() {
    let items = format!("(UID RFC822.SIZE INTERNALDATE FLAGS {FIELDS}");
    let (mut it, script) = scripted(&format!(
        "{EXAMINE}
        C: A UID FETCH 1:* {items}
        S: * 1 FETCH (UID 1 RFC822.SIZE 5)
        S: A NO [SERVERBUG] Internal error
        C: B UID FETCH 1:* (UID)
        S: * 1 FETCH (UID 1)
        S: * 2 FETCH (UID 4)
        S: * 3 FETCH (UID 9)
        S: B OK done
        C: C UID FETCH 4,9 {items}
        S: C NO [SERVERBUG] Internal error
        C: D UID FETCH 4 {items}
        C: F UID FETCH 9 {items}
        S: D NO [SERVERBUG] Internal error
        S: * 3 FETCH (UID 9 RFC822.SIZE 6)
        S: F OK done
        {EXAMINE}
        C: A UID FETCH 1:* {items}
        S: * 1 FETCH (UID 1 RFC822.SIZE 5)
        S: * 2 FETCH (UID 4 RFC822.SIZE 7 FLAGS what)
        S: * 3 FETCH (UID 9 RFC822.SIZE 6)
        S: A OK done
        C: B UID FETCH 1:* (UID)
        S: * 2 FETCH (UID 4)
        S: B OK done
        C: C UID FETCH 4 {items}
        S: C OK done
        {EXAMINE}
        C: A UID FETCH 1:* {items}
        S: A NO [THROTTLED] enough"
    ));
    for _ in 0..2 {
        let listing = it.imap.list(&folder(), Since::default()).unwrap();
        let told: Vec<_> = listing.messages.iter().map(|it| (it.key.as_str(), it.size)).collect();
        assert_eq!(told, [("7.1", 5), ("7.4", 0), ("7.9", 6)]);
    }
    let error = it.imap.list(&folder(), Since::default()).unwrap_err();
    assert_eq!(error.kind(), postkeep::error::Kind::Paused);
    drop(it);
    script.end();
}

#[test]
fn a_folder_that_is_not_there_or_empty_says_so() {
    let (mut it, script) = scripted(
        "C: A EXAMINE \"Box\"
        S: A NO [NONEXISTENT] Unknown Mailbox
        C: B EXAMINE \"Box\"
        S: * 0 EXISTS
        S: * OK [UIDVALIDITY 7] ok
        S: B OK done",
    );
    let error = it.imap.list(&folder(), Since::default()).unwrap_err();
    assert_eq!(error.one_line(), "cannot list Box in imap:box: [NONEXISTENT] Unknown Mailbox");
    let other = Folder { path: "Other".into(), ..folder() };
    assert!(it.imap.list(&other, Since::default()).unwrap_err().one_line().contains("no folder Other"));
    let listing = it.imap.list(&folder(), Since::default()).unwrap();
    assert_eq!((listing.mark.next, listing.messages.len()), (1, 0));
    drop(it);
    script.end();
}

#[test]
fn a_query_of_gmails_chooses_what_is_listed() {
    let items = format!("(UID RFC822.SIZE INTERNALDATE FLAGS X-GM-MSGID X-GM-THRID X-GM-LABELS {FIELDS}");
    let examine = "C: E EXAMINE \"All\"
        S: * 9 EXISTS
        S: * OK [UIDVALIDITY 1] ok
        S: * OK [UIDNEXT 300000] ok
        S: E OK done";
    for (query, first, second) in [
        (
            "label:\"work\"",
            "C: F UID SEARCH UID 20:200019 X-GM-RAW \"label:\\\"work\\\"\"".to_owned(),
            "C: G UID SEARCH UID 200020:299999 X-GM-RAW \"label:\\\"work\\\"\"".to_owned(),
        ),
        (
            "büro",
            "C: F UID SEARCH CHARSET UTF-8 UID 20:200019 X-GM-RAW {5}
            S: + go
            C: büro"
                .to_owned(),
            "C: G UID SEARCH CHARSET UTF-8 UID 200020:299999 X-GM-RAW {5}
            S: + go
            C: büro"
                .to_owned(),
        ),
    ] {
        let script = Script::play(&script::login(&format!(
            "S: B OK [CAPABILITY IMAP4rev1 X-GM-EXT-1 LIST-STATUS SPECIAL-USE NAMESPACE] welcome
            C: C LIST \"\" \"*\" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY))
            S: * LIST (\\All) \"/\" All
            S: C OK done
            C: D NAMESPACE
            S: * NAMESPACE ((\"\" \"/\")) NIL NIL
            S: D OK done
            {examine}
            {first}
            S: * SEARCH 31 30
            S: F OK done
            {second}
            S: * SEARCH 7 250000
            S: G OK done
            C: H UID FETCH 30:31,250000 {items}
            S: * 3 FETCH (UID 30 RFC822.SIZE 5)
            S: * 4 FETCH (UID 31 RFC822.SIZE 6)
            S: * 5 FETCH (UID 250000 RFC822.SIZE 7)
            S: H OK done"
        )));
        let mut it = mailbox(script.account(), |options| options.gmail_query = Some(query.into()));
        let folders = it.imap.folders().unwrap();
        let listing = it.imap.list(&folders[0], Since { uid: 20, mod_seq: None }).unwrap();
        let uids: Vec<_> = listing.messages.iter().map(|message| message.uid).collect();
        assert_eq!((uids, listing.mark.next), (vec![30, 31, 250_000], 300_000), "{query}");
        drop(it);
        script.end();
    }
    let (mut it, script) = scripted_with(EXAMINE, |options| options.gmail_query = Some("label:work".into()));
    let error = it.imap.list(&folder(), Since::default()).unwrap_err();
    assert!(error.one_line().contains("does not know Gmail's search"), "{error:?}");
    drop(it);
    script.end();
}
