//! Archives of a mailbox by POP3, with a real server.

use std::fs;

use postkeep::profile::Tls;

use super::{Archive, PASSWORD, letters, whole};
use crate::lab::{self, Lab};

/// An archive of a user's mailbox by POP3. None: the server has none.
fn by_pop3(lab: &Lab, user: &str) -> Option<Archive> {
    let port = lab.maildrop(user, Tls::None)?.port;
    let archive = Archive::new(lab, user, "");
    let secret = archive.sandbox.path("secret");
    archive.sandbox.write(
        "config/postkeep.toml",
        &format!(
            "[accounts.box]\nuser = {user:?}\npassword-file = {secret:?}\n\
             pop3 = {{ host = \"127.0.0.1\", port = {port}, tls = \"none\" }}\n"
        ),
    );
    archive.profile("pop3:box", "");
    Some(archive)
}

#[test]
fn a_server_that_names_all_messages_anew_doubles_nothing() {
    let Some(lab) = lab::get() else { return };
    let Some(archive) = by_pop3(lab, "user62") else { return };
    // One says nothing of itself, not even when it was written; and some are there twice.
    let bare = b"Subject: bare\r\n\r\nnothing\r\n".to_vec();
    let mut sent = [letters(0..20), letters(0..3), vec![bare.clone(), bare]].concat();
    archive.append("INBOX", 0, &sent);
    archive.pulled("ok", 25);
    archive.pulled("unchanged", 0);
    // Another UIDVALIDITY, which is a part of the UIDLs.
    for entry in fs::read_dir(lab.maildir("user62")).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("dovecot") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let more = letters(20..22);
    archive.append("INBOX", 100, &more);
    sent.extend(more);
    archive.pulled("ok", 2);
    archive.pulled("unchanged", 0);
    whole(&archive, &sent);
}

#[test]
fn a_login_that_is_refused_is_not_tried_again() {
    let Some(lab) = lab::get() else { return };
    let Some(archive) = by_pop3(lab, "user63") else { return };
    let refused = || lab.refused_logins("user63");
    let before = refused();
    archive.secret("secret", "wrong");
    for why in ["refuses the login of user63", "not tried again with the secret that was refused"] {
        let (code, outcome) = archive.pull();
        let cause = outcome["failures"][0]["cause"].as_str().unwrap_or_default().to_owned();
        assert!(code == 1 && cause.contains(why), "{outcome:#}");
        assert_eq!(refused() - before, 1);
    }
    assert_eq!(archive.json(&["account", "list"])["accounts"][0]["pop3-login-refused"], true);
    let said = archive.run(&["status"]).stdout;
    assert!(said.contains("the mailbox of the account box refuses our login"), "{said}");
    // A person may try it again, and is told.
    archive.run(&["account", "test", "box"]).expect(1);
    assert_eq!(refused() - before, 2);
    archive.secret("secret", PASSWORD);
    archive.append("INBOX", 0, &letters(0..2));
    archive.pulled("ok", 2);
    assert_eq!(archive.json(&["account", "list"])["accounts"][0]["pop3-login-refused"], false);
}
