//! From the connection to the login, and each way in which that ends early.

use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use postkeep::mail::imap::{Dialer, Patience};
use postkeep::mail::{Fault, FaultKind};
use postkeep::profile::{Proof, SecretSource, Tls};

use super::script::{Script, login, patience, secret};
use crate::lab::Authority;

fn open(script: &Script, proof: Proof, tls: Tls) -> Fault {
    let mut account = script.account();
    account.login.proof = proof;
    account.tls = tls;
    account.ca_file = None;
    let fault = Dialer::new(account, secret()).patience(patience()).open().unwrap_err();
    let words = format!("{:?} {:?}", fault.error, fault.error.hints());
    assert!(!words.contains("secret") && !words.contains("AGFubg"), "{words}");
    fault
}

/// The dialogue ends in a fault of this kind that says this.
fn ends(text: &str, proof: Proof, kind: FaultKind, said: &str) {
    let script = Script::play(text);
    let fault = open(&script, proof, Tls::None);
    script.end();
    let words = format!("{} {}", fault.error.one_line(), fault.error.hints().join(" "));
    assert!(fault.kind == kind && words.contains(said), "{said}: {:?} {words}", fault.kind);
}

#[test]
fn a_refused_password_is_told_from_a_bad_moment() {
    for (answer, kind, said) in [
        ("NO [AUTHENTICATIONFAILED] Invalid credentials", FaultKind::Login, "Invalid credentials"),
        ("NO LOGIN failed.", FaultKind::Login, "LOGIN failed."),
        ("NO you said secret", FaultKind::Login, "you said ***"),
        ("NO what is AGFubgBzZWNyZXQ=?", FaultKind::Login, "what is ***?"),
        ("NO [UNAVAILABLE] Temporary authentication failure", FaultKind::Down, "cannot check the login now"),
        ("NO [ALERT] Too many simultaneous connections. (Failure)", FaultKind::Down, "so many connections"),
        ("NO [LIMIT] x", FaultKind::Down, "goes on later"),
        ("BAD Command Argument Error. 12", FaultKind::Down, "Error. 12"),
    ] {
        ends(&login(&format!("S: B {answer}")), Proof::Password, kind, said);
    }
    // One that takes what it is told for a command.
    let echo = login("S: AGFubgBzZWNyZXQ= BAD what?\nstall");
    ends(&echo, Proof::Password, FaultKind::Down, "***");
}

#[test]
fn a_server_without_plain_gets_the_old_login() {
    ends(
        "S: * OK ready
        C: A CAPABILITY
        S: * CAPABILITY IMAP4rev1 X-ODD
        S: A OK done
        C: B LOGIN \"ann\" \"secret\"
        S: * BYE [UNAVAILABLE] going down
        cut",
        Proof::Password,
        FaultKind::Down,
        "going down",
    );
    ends(
        "S: * OK ready
        C: A CAPABILITY
        S: * CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=XOAUTH2
        S: A OK done",
        Proof::Password,
        FaultKind::Down,
        "it wants a token of OAuth 2",
    );
}

#[test]
fn a_refused_token_comes_with_its_reason() {
    let prelude = "S: * OK ready
        C: A CAPABILITY
        S: * CAPABILITY IMAP4rev1 AUTH=XOAUTH2
        S: A OK done
        C: B AUTHENTICATE XOAUTH2
        S: +
        C: dXNlcj1hbm4BYXV0aD1CZWFyZXIgc2VjcmV0AQE=";
    let explained = format!(
        "{prelude}
        S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=
        C: \n        S: B NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"
    );
    ends(&explained, Proof::Token, FaultKind::Login, "(status 400)");
    ends(
        &format!("{prelude}\nS: B NO AUTHENTICATE failed."),
        Proof::Token,
        FaultKind::Login,
        "token-command",
    );
    ends(&format!("{prelude}\nflood +"), Proof::Token, FaultKind::Down, "far more than an answer");
}

#[test]
fn a_server_that_tells_what_it_offers_unasked_is_not_asked() {
    let script = Script::play(
        "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready
        C: A AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=
        S: A OK [CAPABILITY IMAP4rev1 UIDPLUS] welcome
        C: B NOOP
        S: B OK
        next
        S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready
        C: A AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=
        S: * CAPABILITY IMAP4rev1 X-ODD
        S: A OK welcome
        C: B NOOP
        S: B OK
        next
        S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready
        C: A AUTHENTICATE PLAIN
        S: +
        C: AGFubgBzZWNyZXQ=
        S: A OK welcome
        C: B CAPABILITY
        S: * CAPABILITY IMAP4rev1 UIDPLUS
        S: B OK",
    );
    let dialer = Dialer::new(script.account(), secret()).patience(patience());
    for offers in [["IMAP4REV1", "UIDPLUS"], ["IMAP4REV1", "X-ODD"]] {
        let mut session = dialer.open().unwrap();
        // What it offered before the login counts no more.
        assert_eq!(session.offers().iter().collect::<Vec<_>>(), offers);
        session.noop().unwrap();
    }
    assert!(dialer.open().unwrap().can_expunge());
    script.end();
    // A question after the token is the explanation of the no.
    let explained = "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready
        C: A AUTHENTICATE XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgc2VjcmV0AQE=
        S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=
        C: \n        S: A NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)";
    ends(explained, Proof::Token, FaultKind::Login, "(status 400)");
    let echo = "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready
        C: A AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=
        S: A BAD what is PLAIN AGFubgBzZWNyZXQ=?";
    ends(echo, Proof::Password, FaultKind::Down, "PLAIN ***");
}

#[test]
fn a_token_that_is_refused_is_fetched_anew_and_kept() {
    let dialogue = |token: &str, end: &str| {
        format!(
            "S: * OK ready
            C: A CAPABILITY
            S: * CAPABILITY IMAP4rev1 AUTH=XOAUTH2
            S: A OK done
            C: B AUTHENTICATE XOAUTH2
            S: +
            C: {token}
            S: B {end}"
        )
    };
    let welcome = "OK in\nC: C CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: C OK done";
    let (old, fresh) =
        ("dXNlcj1hbm4BYXV0aD1CZWFyZXIgc2VjcmV0AQE=", "dXNlcj1hbm4BYXV0aD1CZWFyZXIgZnJlc2gBAQ==");
    let script = Script::play(&format!(
        "{}\nnext\n{}\nnext\n{}",
        dialogue(old, "NO [AUTHENTICATIONFAILED] expired"),
        dialogue(fresh, welcome),
        dialogue(fresh, welcome)
    ));
    let mut account = script.account();
    account.login.proof = Proof::Token;
    account.login.secret = SecretSource::Command("echo fresh".into());
    let dialer = Dialer::new(account, secret()).patience(patience());
    drop(dialer.clone().open().unwrap());
    drop(dialer.open().unwrap());
    script.end();
}

#[test]
fn a_greeting_that_is_none_ends_it() {
    for (text, said) in [
        ("S: * BYE [UNAVAILABLE] too busy", "too busy"),
        ("S: * NO go away", "go away"),
        ("S: 220 smtp.example.org ESMTP", "does not speak IMAP"),
        ("S: * PREAUTH you are root", "before we said who we are"),
        ("cut", "hung up"),
        ("stall", "silent for too long"),
        ("S- * OK rea\ncut", "hung up"),
        ("S- * OK\nxs 5000000\nstall", "not speak IMAP"),
        ("flood S", "not speak IMAP"),
    ] {
        ends(text, Proof::Password, FaultKind::Down, said);
    }
}

#[test]
fn nothing_is_believed_before_tls() {
    for (text, said) in [
        (
            "S: * OK ready
            C: A CAPABILITY
            S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
            S: A OK done",
            "offers no TLS",
        ),
        (
            "S: * OK ready
            C: A CAPABILITY
            S: * CAPABILITY IMAP4rev1 STARTTLS
            S: A OK done
            C: B STARTTLS
            S- B OK go\\r\\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\\r\\n",
            "put words into its mouth",
        ),
        (
            "S: * OK ready
            C: A CAPABILITY
            S: * CAPABILITY IMAP4rev1 STARTTLS
            S: A OK done
            C: B STARTTLS
            S: B BAD no",
            "does not want to talk",
        ),
        ("S: * PREAUTH hello", "before we said who we are"),
    ] {
        let script = Script::play(text);
        let fault = open(&script, Proof::Password, Tls::Starttls);
        let words = format!("{} {}", fault.error.one_line(), fault.error.hints().join(" "));
        assert!(words.contains(said), "{said}: {words}");
        drop(script);
    }
    let script = Script::play("S: * OK ready");
    let fault = open(&script, Proof::Password, Tls::Implicit);
    assert!(fault.error.one_line().contains("no TLS with"), "{:?}", fault.error);
}

#[test]
fn a_wait_can_be_cut_by_another_thread() {
    let (mut session, script) = super::script::session("X", "C: A NOOP\nstall");
    let cutter = session.cutter().unwrap();
    let waits = thread::spawn(move || (session.noop(), session.is_broken()));
    cutter.cut();
    let (result, broken) = waits.join().unwrap();
    assert!(result.is_err() && broken);
    drop(script);
}

#[test]
fn a_server_that_drips_below_tls_is_given_up_too() {
    let authority = Authority::new("a test");
    let config = authority.identity(&["127.0.0.1"]).config();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut tls = rustls::ServerConnection::new(config).unwrap();
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut stream).unwrap();
        }
        // One record, of which a byte comes now and then.
        tls.writer().write_all(&[b'x'; 10_000]).unwrap();
        let mut record = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut record).unwrap();
        }
        for byte in record.iter().take(400) {
            thread::sleep(Duration::from_millis(50));
            if stream.write_all(&[*byte]).is_err() {
                return true;
            }
        }
        false
    });
    let mut account = super::script::account(port);
    account.tls = Tls::Implicit;
    account.ca_file = Some(dir.path().join("ca.pem"));
    let little = Patience { connect: Duration::from_millis(300), ..patience() };
    let fault = Dialer::new(account, secret()).patience(little).open().unwrap_err();
    assert!(fault.error.one_line().contains("goes on for ever"), "{:?}", fault.error);
    assert!(server.join().unwrap(), "the client waits for ever");
}
