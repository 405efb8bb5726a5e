//! Several sources in one profile.

use std::fs;

use super::{Archive, letter, letters};
use crate::lab;

#[test]
fn a_mailbox_a_maildir_and_an_mbox_lie_side_by_side() {
    let Some(lab) = lab::get() else { return };
    let archive = Archive::new(lab, "user56", "");
    archive.append("INBOX", 0, &letters(0..3));
    let maildir = archive.sandbox.path("Mail");
    for folder in ["cur", "new", "tmp", ".Old.2020/cur", ".Old.2020/new", ".Old.2020/tmp"] {
        fs::create_dir_all(maildir.join(folder)).unwrap();
    }
    fs::write(maildir.join("cur/1700000000.M1P1.host:2,S"), letter(10)).unwrap();
    fs::write(maildir.join(".Old.2020/new/1700000001.M2P2.host"), letter(11)).unwrap();
    let unix = |number| String::from_utf8(letter(number)).unwrap().replace("\r\n", "\n");
    let mbox = format!(
        "From ann Tue Nov 14 22:13:20 2023\n{}\nFrom ann Tue Nov 14 22:13:21 2023\n{}\n",
        unix(20),
        unix(21)
    );
    archive.sandbox.write("old.mbox", &mbox);
    let (vault, password) = (archive.sandbox.path("vault"), archive.sandbox.path("vault-password"));
    let sources = format!(
        "[\"imap:box\", \"maildir:{}\", \"mbox:{}\"]",
        maildir.display(),
        archive.sandbox.path("old.mbox").display()
    );
    archive.sandbox.write(
        "config/profiles/mail.toml",
        &format!(
            "kind = \"archive\"\nsource = {sources}\nvault = {vault:?}\nvault-password-file = {password:?}\n"
        ),
    );
    archive.pulled("ok", 7);
    archive.pulled("unchanged", 0);
    // Their inboxes do not become one.
    let back = |more: &[&str]| archive.run(&[&["archive", "restore", "mail"], more].concat());
    let refused = back(&["--to", "imap:box", "-n"]).expect(2).stderr;
    assert!(refused.contains("several accounts") && refused.contains("Mail, box, old.mbox"), "{refused}");
    back(&["--to", "imap:box", "--account", "Mail", "-n"]).expect(0);
    let plan = back(&["--to", "imap:box/Back", "-n"]).expect(0).stdout;
    for folder in ["Back/box/INBOX", "Back/Mail/INBOX"] {
        assert!(plan.contains(folder), "{plan}");
    }
    let plan = back(&["--to", "imap:box/Back", "--account", "Mail", "-n"]).expect(0).stdout;
    assert!(plan.contains("Back/Mail/INBOX") && !plan.contains("box/INBOX"), "{plan}");
    let Some(restored) = archive.restored() else { return };
    let count = |start: &str| restored.keys().filter(|path| path.starts_with(start)).count();
    assert_eq!((count("box/INBOX"), count("Mail"), count("old.mbox")), (3, 2, 2), "{:?}", restored.keys());
    // A mail program marks one as read: the same message under another name.
    fs::rename(maildir.join("cur/1700000000.M1P1.host:2,S"), maildir.join("cur/1700000000.M1P1.host:2,FS"))
        .unwrap();
    let outcome = archive.pulled("ok", 0);
    assert_eq!(outcome["counts"]["updated"], 1);
    // One source that is not there keeps nobody from the others.
    fs::rename(&maildir, archive.sandbox.path("Elsewhere")).unwrap();
    archive.append("INBOX", 3, &letters(3..4));
    let (code, outcome) = archive.pull();
    assert_eq!((code, outcome["counts"]["created"].as_u64()), (1, Some(1)), "{outcome:#}");
}
