//! From the connection to the login, and each way in which that ends early.

use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use postkeep::mail::pop3::{Dialer, Patience, look};
use postkeep::mail::{Fault, FaultKind};
use postkeep::profile::{Proof, SecretSource, Tls};

use super::script::{Script, account, capabilities, login, patience, secret};

fn open(script: &Script, proof: Proof, tls: Tls) -> Fault {
    let mut account = account(script);
    account.login.proof = proof;
    account.tls = tls;
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
        ("-ERR [AUTH] Username and password not accepted.", FaultKind::Login, "not accepted"),
        ("-ERR Logon failure: unknown user name or bad password.", FaultKind::Login, "bad password"),
        ("-ERR", FaultKind::Login, "no reason given"),
        ("-ERR you said secret", FaultKind::Login, "you said ***"),
        ("-ERR what is AGFubgBzZWNyZXQ=?", FaultKind::Login, "what is ***?"),
        ("-ERR [IN-USE] locked by another session", FaultKind::Down, "one program in at a time"),
        ("-ERR Unable to lock maildrop", FaultKind::Down, "one program in at a time"),
        ("-ERR [LOGIN-DELAY] once in 5 minutes", FaultKind::Down, "goes on later"),
        ("-ERR [SYS/TEMP] Temporary authentication failure", FaultKind::Down, "cannot check the login now"),
        ("-ERR [SYS/PERM] this account is closed", FaultKind::Down, "does not pass by itself"),
        ("-ERR Too many connections", FaultKind::Down, "goes on later"),
    ] {
        ends(&login(answer), Proof::Password, kind, said);
    }
    for (after, said) in [
        ("AUTH what is AGFubgBzZWNyZXQ=?\nstall", "***"),
        ("+\nC: AGFubgBzZWNyZXQ=\nS: + again\nC: *\nS: -ERR [AUTH] cancelled", "cancelled"),
        ("+ VXNlcm5hbWU6\nC: *\ncut", "hung up"),
        ("+\nC: AGFubgBzZWNyZXQ=\nflood +", "asks and asks"),
    ] {
        let kind = if said == "cancelled" { FaultKind::Login } else { FaultKind::Down };
        ends(&login(after), Proof::Password, kind, said);
    }
}

#[test]
fn a_server_that_does_not_say_what_it_can_do_gets_the_old_login() {
    let old = "S: +OK ready\nC: CAPA\nS: -ERR what?\nC: USER ann\n";
    let welcome = "S: +OK\nC: PASS secret\nS: +OK in\nC: CAPA\nS: -ERR what?";
    let script = Script::play(&format!("{old}{welcome}"));
    let session = Dialer::new(account(&script), secret()).patience(patience()).open().unwrap();
    assert!(!session.offers().known() && session.offers().iter().next().is_none());
    drop(session);
    script.end();
    for (answer, kind, said) in [
        ("S: -ERR no mailbox for ann here", FaultKind::Login, "no mailbox for ann"),
        ("S: +OK\nC: PASS secret\nS: -ERR not secret", FaultKind::Login, "not ***"),
        ("S: +OK\nC: PASS secret\nS: -ERR mailbox in use", FaultKind::Down, "one program in at a time"),
        ("S: +OK\nC: PASS secret\ncut", FaultKind::Down, "hung up"),
    ] {
        ends(&format!("{old}{answer}"), Proof::Password, kind, said);
    }
    for (offers, proof, said) in [
        (&["SASL XOAUTH2"][..], Proof::Password, "it wants a token of OAuth 2"),
        (&["UIDL"], Proof::Password, "takes no login with a password"),
        (&["USER", "SASL PLAIN"], Proof::Token, "takes no login with a token (XOAUTH2), but: PLAIN"),
    ] {
        ends(&format!("S: +OK\n{}", capabilities(offers)), proof, FaultKind::Down, said);
    }
}

#[test]
fn a_token_is_said_at_once_if_it_is_short_and_refused_with_its_reason() {
    let prelude = format!("S: +OK\n{}", capabilities(&["SASL PLAIN XOAUTH2"]));
    let token = "dXNlcj1hbm4BYXV0aD1CZWFyZXIgc2VjcmV0AQE=";
    for (answer, said) in [
        (
            "S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIn0=\nC: \nS: -ERR [AUTH] not accepted",
            "(status 400)",
        ),
        ("S: -ERR Authentication failure: unknown user name or bad password.", "token-command"),
    ] {
        let text = format!("{prelude}C: AUTH XOAUTH2 {token}\n{answer}");
        ends(&text, Proof::Token, FaultKind::Login, said);
    }

    let long = "t".repeat(300);
    // base64 of "user=ann^Aauth=Bearer ", three hundred letters, ^A^A.
    let coded = format!("dXNlcj1hbm4BYXV0aD1CZWFyZXIg{}AQE=", "dHR0".repeat(100));
    let in_it = "S: +OK in\nC: CAPA\nS: -ERR no more";
    let script = Script::play(&format!(
        "{prelude}C: AUTH XOAUTH2 {token}\nS: -ERR [AUTH] expired\nnext\n\
         {prelude}C: AUTH XOAUTH2\nS: + \nC: {coded}\n{in_it}\nnext\n\
         {prelude}C: AUTH XOAUTH2\nS: + \nC: {coded}\n{in_it}"
    ));
    let mut account = account(&script);
    account.login.proof = Proof::Token;
    account.login.secret = SecretSource::Command(format!("echo {long}"));
    let dialer = Dialer::new(account, secret()).patience(patience());
    let first = dialer.clone().open().unwrap();
    assert!(first.offers().has("SASL"), "what was said before the login counts if nothing is said after it");
    drop(first);
    drop(dialer.open().unwrap());
    script.end();
}

#[test]
fn a_greeting_that_is_none_ends_it() {
    for (text, said) in [
        ("S: -ERR [SYS/TEMP] too busy", "too busy"),
        ("S: * OK IMAP4rev1 ready", "does not speak POP3"),
        ("S: 220 smtp.example.org ESMTP", "does not speak POP3"),
        ("S: +OKAY", "does not speak POP3"),
        ("S: + go on", "does not speak POP3"),
        ("cut", "hung up"),
        ("stall", "silent for too long"),
        ("S- +OK rea\ncut", "hung up"),
        ("xs 5000000\nstall", "more than can be true"),
        ("S: +OK ready\nC: CAPA\nflood +OK", "more than can be true"),
        ("S: +OK ready\nC: CAPA\nS: +OK\ndrip", "goes on for ever"),
    ] {
        ends(text, Proof::Password, FaultKind::Down, said);
    }
}

#[test]
fn nothing_is_believed_before_tls() {
    let offers = capabilities(&["STLS", "SASL PLAIN"]);
    for (text, said) in [
        (format!("S: +OK\n{}", capabilities(&["USER", "SASL PLAIN"])), "offers no TLS"),
        ("S: +OK\nC: CAPA\nS: -ERR what?".into(), "offers no TLS"),
        (
            format!("S: +OK\n{offers}C: STLS\nS- +OK go\\r\\n+OK\\r\\nSASL PLAIN\\r\\n.\\r\\n"),
            "put words into its mouth",
        ),
        (format!("S: +OK\n{offers}C: STLS\nS: -ERR no"), "does not want to talk"),
    ] {
        let script = Script::play(&text);
        let fault = open(&script, Proof::Password, Tls::Starttls);
        let words = format!("{} {}", fault.error.one_line(), fault.error.hints().join(" "));
        assert!(words.contains(said), "{said}: {words}");
        // Nothing more is said in the clear.
        script.end();
    }
    let script = Script::play("S: +OK ready");
    let fault = open(&script, Proof::Password, Tls::Implicit);
    assert!(fault.error.one_line().contains("no TLS with"), "{:?}", fault.error);
}

#[test]
fn a_look_tells_how_far_it_came() {
    for (text, tls, step) in [
        ("S: -ERR go away", Tls::None, "greeting"),
        ("cut", Tls::Implicit, "tls"),
        (
            "S: +OK\nC: CAPA\nS: -ERR\nC: USER ann\nS: +OK\nC: PASS secret\nS: -ERR [IN-USE] x",
            Tls::None,
            "login",
        ),
        (
            "S: +OK\nC: CAPA\nS: -ERR\nC: USER ann\nS: +OK\nC: PASS secret\nS: +OK\nC: CAPA\nS: -ERR\nC: STAT\nS: +OK 1 9\nC: UIDL\nS: -ERR\nC: QUIT\nS: +OK",
            Tls::None,
            "mailbox",
        ),
    ] {
        let script = Script::play(text);
        let mut account = account(&script);
        account.tls = tls;
        let steps = look(&account, &secret(), patience());
        let last = steps.last().unwrap();
        assert!(last.name == step && last.result.is_err(), "{step}: {steps:?}");
        drop(script);
    }
}

#[test]
fn a_handshake_that_drips_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // A handshake of 16 KiB begins, of which a byte comes now and then.
        let _ = stream.write_all(&[0x16, 3, 3, 0x40, 0]);
        (0..400).any(|_| {
            thread::sleep(Duration::from_millis(50));
            stream.write_all(b"x").is_err()
        })
    });
    let mut account = account(&Script::play("cut"));
    (account.port, account.tls) = (port, Tls::Implicit);
    let little = Patience { connect: Duration::from_millis(300), ..patience() };
    let fault = Dialer::new(account, secret()).patience(little).open().unwrap_err();
    assert!(fault.error.one_line().contains("takes too long over it"), "{:?}", fault.error);
    assert!(server.join().unwrap(), "the client waits for ever");
}
