//! Mailboxes beside the server that takes letters: letters that are put there, and logins that are refused there.

use std::fs;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use postkeep::clock::System;
use postkeep::mail::imap::{Dialer, Outgoing};
use postkeep::profile::{SecretSource, Tls};
use postkeep::vault::store::mailbox::{Mailbox, Options};
use postkeep::vault::store::{Kind, Store};

use crate::common::Sandbox;
use crate::lab::proxy::Proxy;
use crate::lab::{self, Lab, PASSWORD};

/// A port that nobody listens on.
fn nobody() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A profile whose reports go by an account that has a mailbox in the lab; `smtp` is the port of its other side.
fn sandbox(lab: &Lab, user: &str, smtp: u16, to: &str) -> Sandbox {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    configure(&sandbox, lab, user, smtp, to);
    sandbox
}

fn configure(sandbox: &Sandbox, lab: &Lab, user: &str, smtp: u16, to: &str) {
    // Writes the secret.
    lab.account("implicit", &sandbox.path("secret"));
    let (secret, ca, imap) = (sandbox.path("secret"), lab.ca_file(), lab.mailbox(user, Tls::Implicit).port);
    let text = format!(
        "[accounts.mail]\nuser = \"{user}@localhost\"\npassword-file = {secret:?}\n\
         smtp = {{ host = \"localhost\", port = {smtp}, tls = \"starttls\", ca-file = {ca:?} }}\n\
         imap = {{ host = \"localhost\", port = {imap}, tls = \"implicit\", ca-file = {ca:?} }}\n\
         [report]\naccount = \"mail\"\nto = [{to}]\nfallback = [\"imap-append\"]\n"
    );
    sandbox.write("config/postkeep.toml", &text);
}

/// Two hours go by since the account was seen down.
fn two_hours_later(sandbox: &Sandbox) {
    sandbox.sql("UPDATE account SET down_since = down_since - 7200000000");
}

#[test]
fn a_letter_reaches_its_owners_mailbox_once_while_the_others_wait() {
    let Some(lab) = lab::get() else { return };
    let to = "\"Me <user12@LocalHost>\", \"user13@localhost\"";
    let sandbox = sandbox(lab, "user12", nobody(), to);
    sandbox.run(&["run", "docs"]).expect(3);
    assert!(lab.inbox("user12").is_empty(), "an hour has not gone by");
    two_hours_later(&sandbox);
    let ran = sandbox.run(&["outbox", "flush"]).expect(3);
    assert!(ran.stdout.contains(", by imap-append to mail"), "{} {}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("could not be delivered yet"), "{}", ran.stderr);
    let raw = sandbox.command(&["report", "docs", "--raw"]).output().unwrap().stdout;
    assert_eq!(lab.inbox("user12"), [raw], "the same bytes");

    // A kill before the outbox knew of it: it is found by its Message-ID.
    sandbox.sql("UPDATE recipient SET state = 'queued', via = NULL WHERE address LIKE '%user12%'");
    sandbox.run(&["outbox", "flush"]).expect(3);
    assert_eq!(lab.inbox("user12").len(), 1);
    let id = sandbox.history()[0]["id"].as_str().unwrap().to_owned();
    let shown = sandbox.run(&["outbox", "show", &id]).expect(0).stdout;
    assert!(shown.contains("by imap-append") && shown.contains("user13@localhost: waits"), "{shown}");

    // Who has it gets it by no way again.
    let ran = sandbox.run(&["outbox", "flush"]).expect(3);
    assert!(ran.stderr.contains("by imap-append: its owner has it already"), "{}", ran.stderr);
    configure(&sandbox, lab, "user12", lab.starttls, to);
    sandbox.run(&["outbox", "flush"]).expect(0);
    let until = Instant::now() + Duration::from_secs(30);
    while lab.inbox("user13").is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!((lab.inbox("user13").len(), lab.inbox("user12").len()), (1, 1));
}

/// The mailbox without TLS, behind a proxy.
fn behind(sandbox: &Sandbox, proxy: &Proxy) {
    let config = sandbox.read("config/postkeep.toml");
    let plain = format!("imap = {{ host = \"localhost\", port = {}, tls = \"none\" }}", proxy.port);
    let lines = config.lines().map(|line| if line.starts_with("imap") { plain.as_str() } else { line });
    sandbox.write("config/postkeep.toml", &lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_letter_whose_answer_is_lost_is_looked_for_at_once() {
    let Some(lab) = lab::get() else { return };
    let sandbox = sandbox(lab, "user34", nobody(), "\"user34@localhost\"");
    let lost = Arc::new(Mutex::new(0));
    let own = Arc::clone(&lost);
    let spoil = move |said: Vec<u8>| {
        let mut lost = own.lock().unwrap();
        let answer = String::from_utf8_lossy(&said).contains("[APPENDUID") && *lost == 0;
        *lost += u32::from(answer);
        (!answer).then_some(said)
    };
    let proxy = Proxy::spoiling(lab.mailbox("user34", Tls::None).port, Box::new(spoil));
    behind(&sandbox, &proxy);
    sandbox.run(&["run", "docs"]).expect(3);
    two_hours_later(&sandbox);
    let ran = sandbox.run(&["outbox", "flush"]).expect(0);
    assert!(ran.stdout.contains(", by imap-append to mail"), "{} {}", ran.stdout, ran.stderr);
    assert_eq!((*lost.lock().unwrap(), lab.inbox("user34").len()), (1, 1));
}

#[test]
fn a_server_that_finds_another_letter_has_not_found_this_one() {
    let Some(lab) = lab::get() else { return };
    let sandbox = sandbox(lab, "user35", nobody(), "\"user35@localhost\"");
    let by_ann = b"From: ann@example.org\r\nMessage-ID: <another@example.org>\r\n\r\nhello\r\n".to_vec();
    let outgoing = Outgoing { body: Box::new(by_ann), flags: &[], internal_date: None };
    let secret = postkeep::mail::secret::fetch(&SecretSource::File(sandbox.path("secret"))).unwrap();
    let mut session = Dialer::new(lab.mailbox("user35", Tls::None), secret).open().unwrap();
    assert!(session.append_all("INBOX", vec![outgoing]).1.is_none());
    let spoil = |said: Vec<u8>| {
        let text = String::from_utf8_lossy(&said).into_owned();
        Some(if text.starts_with("* SEARCH\r\n") {
            text.replacen("SEARCH", "SEARCH 1", 1).into()
        } else {
            said
        })
    };
    let proxy = Proxy::spoiling(lab.mailbox("user35", Tls::None).port, Box::new(spoil));
    behind(&sandbox, &proxy);
    sandbox.run(&["run", "docs"]).expect(3);
    two_hours_later(&sandbox);
    sandbox.run(&["outbox", "flush"]).expect(0);
    assert_eq!(lab.inbox("user35").len(), 2);
}

#[test]
fn a_letter_for_others_is_told_in_the_mailbox_once() {
    let Some(lab) = lab::get() else { return };
    let sandbox = sandbox(lab, "user14", nobody(), "\"ann@example.org\"");
    sandbox.run(&["run", "docs"]).expect(3);
    two_hours_later(&sandbox);
    let ran = sandbox.run(&["outbox", "flush"]).expect(3);
    assert!(ran.stderr.contains("a copy is in the mailbox of mail"), "{}", ran.stderr);
    let ran = sandbox.run(&["outbox", "flush"]).expect(3);
    assert!(ran.stderr.contains("by imap-append: it was told already"), "{}", ran.stderr);
    assert_eq!(lab.inbox("user14").len(), 1);
}

#[test]
fn a_mailbox_that_refuses_the_login_is_asked_once_until_the_secret_changes() {
    let Some(lab) = lab::get() else { return };
    let sandbox = sandbox(lab, "user15", nobody(), "\"user15@localhost\"");
    fs::write(sandbox.path("secret"), "wr0ng-s3cret\n").unwrap();
    let refused = || lab.refused_logins("user15@localhost");
    sandbox.run(&["run", "docs"]).expect(3);
    two_hours_later(&sandbox);
    let ran = sandbox.run(&["outbox", "flush"]).expect(3);
    assert!(ran.stderr.contains("by imap-append: localhost:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("refuses the login of user15@localhost"), "{}", ran.stderr);
    // Neither for letters nor for vaults, whoever asks.
    let ran = sandbox.run(&["outbox", "flush"]).expect(3);
    assert!(ran.stderr.contains("not tried again with the secret that was refused"), "{}", ran.stderr);
    sandbox.write("password", "open sesame\n");
    fs::set_permissions(sandbox.path("password"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let password = sandbox.path("password");
    let verb =
        ["snapshots", "--vault", "imap:mail/Backups", "--vault-password-file", password.to_str().unwrap()];
    let ran = sandbox.run(&verb).expect(1);
    assert!(
        ran.stderr.contains("hint: put the secret right, then: postkeep account test mail"),
        "{}",
        ran.stderr
    );
    assert_eq!(refused(), 1);
    let status = sandbox.run(&["status"]).expect(0).stdout;
    assert!(status.contains("the mailbox of the account mail refuses our login"), "{status}");
    assert!(!status.contains("wr0ng"), "{status}");

    // A person may; both sides are looked at.
    let ran = sandbox.run(&["account", "test", "mail"]).expect(1);
    assert!(ran.stdout.contains("its mailbox:") && ran.stdout.contains("login    FAILED"), "{}", ran.stdout);
    assert!(ran.stderr.contains("nothing listens there"), "{}", ran.stderr);
    assert_eq!(refused(), 2);
    assert!(sandbox.run(&["account", "list"]).expect(0).stdout.contains("imap login refused"));

    fs::write(sandbox.path("secret"), format!("{PASSWORD}\n")).unwrap();
    sandbox.run(&["account", "test", "mail", "--no-letter"]).expect(1);
    assert!(!sandbox.run(&["account", "list"]).expect(0).stdout.contains("refused"));
    sandbox.run(&["outbox", "flush"]).expect(0);
    assert_eq!((lab.inbox("user15").len(), refused()), (1, 2));
}

#[test]
fn a_vault_tries_a_refused_login_once_and_forgets_it_when_it_is_taken() {
    let Some(lab) = lab::get() else { return };
    let sandbox = sandbox(lab, "user16", nobody(), "\"user16@localhost\"");
    fs::write(sandbox.path("secret"), "wrong\n").unwrap();
    sandbox.write("password", "open sesame\n");
    fs::set_permissions(sandbox.path("password"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let password = sandbox.path("password");
    let verb =
        ["snapshots", "--vault", "imap:mail/Backups", "--vault-password-file", password.to_str().unwrap()];
    let ran = sandbox.run(&verb).expect(1);
    assert!(ran.stderr.contains("refuses the login of user16@localhost"), "{}", ran.stderr);
    let ran = sandbox.run(&verb).expect(1);
    assert!(ran.stderr.contains("not tried again with the secret that was refused"), "{}", ran.stderr);
    assert_eq!(lab.refused_logins("user16@localhost"), 1);
    fs::write(sandbox.path("secret"), format!("{PASSWORD}\n")).unwrap();
    let ran = sandbox.run(&verb);
    assert!(
        ran.code != 0 && !ran.stderr.contains("login"),
        "there is no vault, but a mailbox: {}",
        ran.stderr
    );
    assert!(!sandbox.run(&["account", "list"]).expect(0).stdout.contains("refused"));
}

#[test]
fn an_account_that_is_only_a_mailbox_is_tested() {
    let Some(lab) = lab::get() else { return };
    let sandbox = sandbox(lab, "user17", nobody(), "");
    let config = sandbox.read("config/postkeep.toml");
    let lines = config.lines().filter(|line| !line.starts_with("smtp"));
    let accounts: Vec<_> = lines.take_while(|line| *line != "[report]").collect();
    sandbox.write("config/postkeep.toml", &accounts.join("\n"));
    let tested = sandbox.run(&["account", "test", "mail"]).expect(0).stdout;
    for part in [
        "resolve  localhost: ",
        "issued by postkeep's lab",
        "login    user17@localhost (PLAIN)",
        "of 48.0 MiB used",
        "offers   UIDPLUS, MULTIAPPEND, LITERAL+",
    ] {
        assert!(tested.contains(part), "{part} in {tested}");
    }
    assert!(!tested.contains("its mailbox"), "{tested}");
    let full = sandbox.run(&["account", "test", "mail", "--full"]).expect(0).stdout;
    assert!(full.contains("kind     imap, own server") && !full.contains("localhost"), "{full}");
    let json = sandbox.run(&["account", "test", "mail", "--json"]).expect(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["steps"], &json["imap"][0]["step"]), (&serde_json::json!([]), &"resolve".into()));
}

#[test]
fn a_store_whose_server_is_not_there_says_so_soon() {
    let Some(lab) = lab::get() else { return };
    let mut account = lab.mailbox("user18", Tls::None);
    let secret = || postkeep::mail::secret::fetch(&postkeep::profile::SecretSource::Command("echo x".into()));
    let refused = account.clone();
    account.port = nobody();
    let waits = |account| {
        let slept = Arc::new(Mutex::new(Vec::new()));
        let mut options = Options::new(account, Box::new(secret), "Backups", Arc::new(System));
        let own = Arc::clone(&slept);
        options.sleep = Box::new(move |wait| own.lock().unwrap().push(wait));
        let error = Mailbox::new(options).list(Kind::Pack).unwrap_err();
        (error.one_line(), slept.lock().unwrap().clone())
    };
    let (error, slept) = waits(account);
    assert!(error.contains("cannot reach the mail server"), "{error}");
    assert_eq!(slept.iter().sum::<Duration>(), Duration::from_secs(1));
    let (error, slept) = waits(refused);
    assert!(error.contains("refuses the login") && slept.is_empty(), "{error} {slept:?}");
}
