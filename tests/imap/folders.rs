//! Folders, and the small commands.

use postkeep::mail::imap::{Change, Failed, Meaning, Quota, Special};

use super::script::session;

#[test]
fn folders_are_known_by_their_paths() {
    let (mut session, script) = session(
        "NAMESPACE LIST-STATUS SPECIAL-USE CONDSTORE",
        "C: A LIST \"\" \"*\" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))
        S: * LIST (\\HasChildren) \".\" INBOX
        S: * STATUS INBOX (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7 HIGHESTMODSEQ 18446744073709551615 X-NEW (1))
        S: * LIST (\\Trash) \".\" \"INBOX.Entw&APw-rfe\"
        S: * LIST (\\Noselect) \".\" {8}
        S: INBOX.a\"
        S: * LIST () \".\" INBOX.a[b
        S: * STATUS INBOX.a[b (MESSAGES 1)
        S: * LIST () \".\" &bad
        S: * LIST (\\NonExistent) \".\" gone
        S: * LIST () odd
        S: A OK done
        C: B NAMESPACE
        S: * NAMESPACE ((\"INBOX.\" \".\")) NIL NIL
        S: B OK done
        C: C STATUS \"INBOX.Archive.2020\" (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)
        S: C NO [NONEXISTENT] Unknown Mailbox
        C: D CREATE \"INBOX.Archive.2020\"
        S: D OK done",
    );
    let folders = session.folders(true).unwrap();
    let shown: Vec<_> = folders
        .iter()
        .map(|f| (f.path.as_str(), f.selectable, f.special, f.status.and_then(|s| s.messages)))
        .collect();
    assert_eq!(
        shown,
        [
            ("INBOX", true, None, Some(3)),
            ("Entwürfe", true, Some(Special::Trash), None),
            ("a\"", false, None, None),
            ("a[b", true, None, Some(1)),
            ("&bad", true, None, None),
        ]
    );
    assert_eq!(folders[0].status.unwrap().highest_mod_seq, Some(u64::MAX));
    assert_eq!(session.status("Archive/2020").unwrap_err().meaning(), Meaning::Missing);
    assert!(matches!(session.status("Archive/a.b"), Err(Failed::Here(_))));
    session.create("Archive/2020").unwrap();
    drop(session);
    script.end();
}

#[test]
fn without_list_status_each_folder_is_asked() {
    let (mut session, script) = session(
        "X",
        "C: A LIST \"\" \"*\"
        S: * LIST () \"/\" a
        S: * LIST (\\Noselect) \"/\" b
        S: * LIST () NIL c
        S: A OK done
        C: N LIST \"\" \"\"
        S: * LIST (\\Noselect) \"/\" \"\"
        S: N OK done
        C: B STATUS \"a\" (MESSAGES UIDNEXT UIDVALIDITY)
        S: * STATUS \"a\" (MESSAGES 5)
        S: B OK done
        C: C STATUS \"c\" (MESSAGES UIDNEXT UIDVALIDITY)
        S: C NO ill",
    );
    let counts: Vec<_> =
        session.folders(true).unwrap().iter().map(|f| f.status.and_then(|s| s.messages)).collect();
    assert_eq!(counts, [Some(5), None, None]);
    drop(session);
    script.end();
}

#[test]
fn a_library_that_stumbles_ends_the_session_and_keeps_the_words() {
    let prelude = "C: N LIST \"\" \"\"
        S: * LIST (\\Noselect) \"/\" \"\"
        S: N OK done
        C: A SELECT \"Box\"";
    for (said, failed) in [
        ("S: A NO [NOPERM] not for you", "[NOPERM] not for you"),
        ("S: * VANISHED (EARLIER 3\nstall", "cannot be understood: * VANISHED"),
        ("S: * BYE shutting down\ncut", "hung up: shutting down"),
        ("cut", "hung up"),
        ("stall", "silent"),
        ("S- * \nxs 400000\nstall", "far more than an answer"),
        ("S: * 3 EXISTS\nS: A OK done", "UIDVALIDITY"),
        ("flood * 3 EXISTS", "far more than an answer"),
    ] {
        let (mut session, script) = session("X", &format!("{prelude}\n{said}"));
        let got = session.select("Box").unwrap_err();
        assert!(got.to_string().contains(failed), "{said}: {got}");
        assert_eq!(session.is_broken(), matches!(got, Failed::Broken { .. }), "{said}");
        drop(session);
        script.end();
    }
}

#[test]
fn removal_takes_nothing_else_along() {
    let (mut session, script) = session("X", "");
    let failed = session.expunge(&[1]).unwrap_err();
    assert!(failed.to_string().contains("no UIDPLUS"), "{failed}");
    assert!(!session.is_broken());
    drop(session);
    script.end();

    let (mut session, script) = self::session(
        "UIDPLUS",
        "C: A UID SEARCH HEADER \"Message-ID\" \"<a\\\"b@x>\"
        S: * SEARCH 9 3 3
        S: * 1 EXPUNGE
        S: A OK done
        C: B UID STORE 3,9 +FLAGS.SILENT (\\Deleted)
        S: B OK done
        C: C UID EXPUNGE 3,9
        S: * 1 EXPUNGE
        S: C OK done
        C: D UID STORE 4 -FLAGS.SILENT (\\Flagged $x)
        S: D NO [CANNOT] read-only
        C: E LOGOUT
        S: * BYE see you
        S: E OK done",
    );
    assert_eq!(session.search_header("Message-ID", "<a\"b@x>").unwrap(), [3, 9]);
    session.expunge(&[3, 9]).unwrap();
    assert!(session.store(&[4], Change::Remove, &["\\Flagged", "$x"]).is_err());
    for bad in ["", "a\r\nb", "ä"] {
        assert!(matches!(session.search_header("Message-ID", bad), Err(Failed::Here(_))), "{bad}");
    }
    session.logout();
    script.end();
}

#[test]
fn the_room_is_that_of_the_tightest_quota() {
    let (mut session, script) = session(
        "QUOTA",
        "C: N LIST \"\" \"\"
        S: * LIST (\\Noselect) \"/\" \"\"
        S: N OK done
        C: A GETQUOTAROOT \"INBOX\"
        S: * QUOTAROOT \"INBOX\" \"\" \"other\"
        S: * QUOTA \"\" (STORAGE 10 512 MESSAGE 3 4)
        S: * QUOTA \"other\" (STORAGE 900 1000)
        S: A OK done
        C: B GETQUOTAROOT \"INBOX\"
        S: * QUOTAROOT \"INBOX\"
        S: B OK done
        C: C GETQUOTAROOT \"INBOX\"
        S: * X-ODD (what is this
        S: * QUOTA \"\" ()
        S: * QUOTA Home (X-ANNOTATION-STORAGE 1 2 storage 3 4 STORAGE 18446744073709551615 1)
        S: * QUOTA Odd (STORAGE many)
        S: C OK done",
    );
    assert_eq!(session.quota("INBOX").unwrap(), Some(Quota { used: 921_600, limit: 1_024_000 }));
    assert_eq!(session.quota("INBOX").unwrap(), None);
    assert_eq!(session.quota("INBOX").unwrap(), Some(Quota { used: u64::MAX, limit: 1024 }));
    drop(session);
    script.end();
}

#[test]
fn a_name_with_a_line_end_becomes_no_command() {
    let (mut session, script) = session(
        "X",
        "C: A LIST \"\" \"*\"
        S: * LIST () \"/\" good
        S: * LIST () \"/\" {20}
        S- x\\r\\na1 DELETE INBOX\\r\\n\\r\\n
        S: A OK done
        C: B LIST \"\" \"\"
        S: * LIST (\\Noselect) \"/\" \"\"
        S: B OK done
        C: C STATUS \"good\" (MESSAGES UIDNEXT UIDVALIDITY)
        S: * STATUS good (MESSAGES 1)
        S: C OK done",
    );
    let folders = session.folders(true).unwrap();
    assert_eq!(folders.iter().map(|folder| folder.name.as_str()).collect::<Vec<_>>(), ["good"]);
    drop(session);
    script.end();
}

#[test]
fn a_folder_is_opened_to_read() {
    let (mut session, script) = session(
        "NAMESPACE CONDSTORE",
        "C: N NAMESPACE
        S: * NAMESPACE ((\"\" \"/\")) NIL NIL
        S: N OK done
        C: A EXAMINE \"Box\" (CONDSTORE)
        S: * FLAGS (\\Seen)
        S: * 17 EXISTS
        S: * VANISHED (EARLIER) 3:4
        S: * OK [UIDVALIDITY 4294967295] x
        S: * OK [uidnext 5] x
        S: * OK [HIGHESTMODSEQ 18446744073709551615] x
        S: * OK [UIDNEXT] x
        S: * OK no code [UIDNEXT 9]
        S: A OK [READ-ONLY] done
        C: B EXAMINE \"Old\" (CONDSTORE)
        S: B BAD what is that
        C: C EXAMINE \"Old\"
        S: * 1 EXISTS
        S: * OK [UIDVALIDITY 1] x
        S: * OK [NOMODSEQ] x
        S: C OK done
        C: D EXAMINE \"Odd\" (CONDSTORE)
        S: * 1 EXISTS
        S: * OK [UIDVALIDITY 0] x
        S: D OK done",
    );
    let selected = session.examine("Box").unwrap();
    assert_eq!((selected.messages, selected.uid_validity, selected.uid_next), (17, u32::MAX, Some(5)));
    assert_eq!((selected.highest_mod_seq, selected.read_only), (Some(u64::MAX), true));
    let selected = session.examine_named("Old").unwrap();
    assert_eq!((selected.messages, selected.uid_next, selected.highest_mod_seq), (1, None, None));
    assert!(session.examine("Odd").unwrap_err().to_string().contains("UIDVALIDITY"));
    assert!(!session.is_broken());
    drop(session);
    script.end();
}
