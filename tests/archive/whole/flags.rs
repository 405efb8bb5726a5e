//! Flags, at a server that does not tell which changed: a real one whose CONDSTORE is hidden.

use postkeep::mail::imap::Change;
use serde_json::Value;

use super::{Archive, letter, letters, uids};
use crate::lab;
use crate::lab::proxy::Proxy;

/// How many messages of the archive have a flag.
fn flagged(archive: &Archive, flag: &str) -> usize {
    let listed = archive.run(&["archive", "ls", "mail", "--flag", flag, "--json"]).expect(0);
    listed.stdout.lines().count()
}

#[test]
fn flags_are_followed_without_condstore() {
    let Some(lab) = lab::get() else { return };
    let archive = Archive::new(lab, "user64", "");
    archive.append("INBOX", 0, &letters(0..30));
    archive.append("Other", 0, &letters(30..33));
    // QRESYNC has it in itself.
    let hide = |said: Vec<u8>| {
        let hides = ["CONDSTORE", "QRESYNC"];
        let text = String::from_utf8_lossy(&said).into_owned();
        let spoilt = hides.iter().fold(text.clone(), |text, word| text.replace(word, "NONESUCH"));
        Some(if spoilt == text { said } else { spoilt.into_bytes() })
    };
    let proxy = Proxy::spoiling(archive.account.port, Box::new(hide));
    archive.through(proxy.port);
    archive.pulled("ok", 33);
    assert_eq!((flagged(&archive, "seen"), flagged(&archive, "flagged")), (33, 0));

    let mut session = archive.session();
    let selected = session.select("INBOX").unwrap();
    let all = uids(&mut session, selected);
    session.store(&all[..2], Change::Add, &["\\Flagged"]).unwrap();
    session.store(&all[1..3], Change::Remove, &["\\Seen"]).unwrap();
    archive.append("Other", 33, &[letter(33)]);
    let outcome = archive.pulled("ok", 1);
    assert_eq!(outcome["counts"]["updated"], Value::from(0), "without news a folder is looked at once a day");
    archive.append("INBOX", 34, &[letter(34)]);
    let outcome = archive.pulled("ok", 1);
    assert_eq!(outcome["counts"]["updated"], Value::from(3), "{outcome:#}");
    assert_eq!((flagged(&archive, "seen"), flagged(&archive, "flagged")), (33, 2));
    archive.pulled("unchanged", 0);
}
