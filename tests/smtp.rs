//! What a mail server can do to a letter: refuse it, break off, lie, drip, hang. Each ends in a state that is known, in
//! time, and with words that help.

mod fake;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postkeep::mail::secret::{self, Secret};
use postkeep::mail::smtp::Wire;
use postkeep::mail::{Answer, Fault, FaultKind, Parcel};
use postkeep::profile::{Login, Preset, Proof, SecretSource, Smtp, Tls};

use self::fake::{Fake, Heard, converse};
use crate::lab::{Authority, Identity};

const MAIL: &[u8] = b"Subject: x\r\n\r\nDear Ann,\r\n.\r\n..dots\r\n";
const SECRET: &str = "0pen-s3same";

fn account(port: u16, tls: Tls) -> Smtp {
    Smtp { preset: None, host: "localhost".into(), port, tls, ca_file: None, login: None }
}

fn secret() -> Secret {
    secret::fetch(&SecretSource::Command(format!("echo {SECRET}"))).unwrap()
}

fn with_login(account: Smtp, proof: Proof) -> Smtp {
    let secret = SecretSource::Env("UNUSED".into());
    Smtp { login: Some(Login { user: "ann@example.org".into(), secret, proof }), ..account }
}

/// Sends a letter to three people.
fn send(account: &Smtp) -> Result<Vec<Answer>, Fault> {
    send_within(account, Duration::from_secs(20))
}

fn send_within(account: &Smtp, deadline: Duration) -> Result<Vec<Answer>, Fault> {
    let to = ["a@example.org", "b@example.org", "c@example.org"].map(str::to_owned);
    let parcel = Parcel { sender: "me@example.org", recipients: &to, mail: MAIL };
    let started = Instant::now();
    let result = Wire::default().send(account, Some(&secret()), &parcel, "nas1", deadline);
    assert!(started.elapsed() < deadline + Duration::from_secs(8), "the deadline does not hold");
    if let Err(fault) = &result {
        assert!(!format!("{:?} {:?}", fault.error, fault.error.hints()).contains(SECRET));
    }
    result
}

fn fault(account: &Smtp, kind: FaultKind, said: &str) {
    let fault = send(account).unwrap_err();
    let words = format!("{} {}", fault.error.one_line(), fault.error.hints().join(" "));
    assert!(fault.kind == kind && words.contains(said), "{said}: {:?} {words}", fault.kind);
}

/// In one letter a recipient: A accepted, R refused, L later.
fn answers(rules: &'static [(&'static str, &'static str)]) -> String {
    let fake = Fake::rules(rules);
    let answers = send(&account(fake.port, Tls::None)).unwrap();
    let word = |answer: &Answer| match answer {
        Answer::Accepted => 'A',
        Answer::Refused(_) => 'R',
        Answer::Later(_) => 'L',
    };
    answers.iter().map(word).collect()
}

#[test]
fn each_recipient_has_an_answer() {
    for (rules, expected) in [
        (&[][..], "AAA"),
        (&[("RCPT TO:<b@", "550 5.1.1 no such user")], "ARA"),
        (&[("RCPT TO:<b@", "450 4.2.1 come back")], "ALA"),
        (&[("RCPT TO:<b@", "552 5.2.2 mailbox full")], "ALA"),
        (&[("RCPT TO:<b@", "552 too many recipients")], "ALA"),
        (&[("RCPT", "550 5.7.1 not you")], "RRR"),
        (&[("RCPT TO:<a@", "550 no"), ("RCPT", "451 4.3.0 later")], "RLL"),
        (&[("MAIL", "550 5.7.1 not with this sender")], "RRR"),
        (&[("MAIL", "451 4.3.0 later")], "LLL"),
        (&[("DATA", "451 4.3.0 later")], "LLL"),
        (&[(".", "554 5.7.1 this is spam")], "RRR"),
        (&[(".", "452 4.3.1 no room")], "LLL"),
        (&[(".", "552 5.2.2 mailbox full")], "LLL"),
        (&[("RCPT TO:<b@", "550 no"), (".", "451 later")], "LRL"),
        // It may have the letter: the next try is the same letter again.
        (&[(".", "drop")], "LLL"),
        (&[("DATA", "drop")], "LLL"),
        (&[(".", "421 4.3.2 shutting down")], "LLL"),
    ] {
        assert_eq!(answers(rules), expected, "{rules:?}");
    }
}

#[test]
fn the_server_gets_the_letter_as_it_is() {
    let fake = Fake::rules(&[]);
    send(&account(fake.port, Tls::None)).unwrap();
    let heard = fake.heard();
    assert!(heard.contains("MAIL FROM:<me@example.org> SIZE=36\r\n"), "{heard}");
    assert!(heard.contains("DATA\r\nSubject: x\r\n\r\nDear Ann,\r\n..\r\n...dots\r\n.\r\n"), "{heard}");
    assert!(heard.starts_with("EHLO nas1\r\n") && heard.ends_with("QUIT\r\n"), "{heard}");
}

#[test]
fn several_letters_go_over_one_line_and_over_a_new_one_when_it_was_cut() {
    let to = ["a@example.org".to_owned()];
    let parcel = Parcel { sender: "me@example.org", recipients: &to, mail: MAIL };
    let send = |wire: &mut Wire, account: &Smtp| {
        wire.send(account, Some(&secret()), &parcel, "nas1", Duration::from_secs(9)).unwrap()
    };
    let fake = Fake::rules(&[]);
    let account = with_login(account(fake.port, Tls::None), Proof::Password);
    let mut wire = Wire::default();
    for _ in 0..3 {
        assert_eq!(send(&mut wire, &account), [Answer::Accepted]);
    }
    drop(wire);
    let heard = fake.heard();
    let count = |word: &str| heard.matches(word).count();
    assert_eq!((count("AUTH "), count("MAIL FROM"), count("RSET"), count("QUIT")), (1, 3, 2, 1), "{heard}");

    // The server hangs up after each letter; the second has another connection.
    for cut in ["drop", "421 4.4.2 idle for too long"] {
        let fake = Fake::twice(move |stream| converse(stream, &[("RSET", cut)], true));
        let account = Smtp { port: fake.port, ..account.clone() };
        let mut wire = Wire::default();
        assert_eq!(send(&mut wire, &account), [Answer::Accepted]);
        assert_eq!(send(&mut wire, &account), [Answer::Accepted]);
        drop(wire);
        assert_eq!(fake.heard().matches("MAIL FROM").count(), 2);
    }
}

#[test]
fn an_address_beyond_ascii_needs_a_server_that_knows_such() {
    let send = |ehlo: &'static [(&'static str, &'static str)]| {
        let fake = Fake::rules(ehlo);
        let to = ["j\u{f6}rg@example.org".to_owned()];
        let mail = "To: j\u{f6}rg@example.org\r\n\r\nx\r\n".as_bytes();
        let parcel = Parcel { sender: "me@example.org", recipients: &to, mail };
        let account = account(fake.port, Tls::None);
        let answers = Wire::default().send(&account, None, &parcel, "nas1", Duration::from_secs(9)).unwrap();
        (answers, fake.heard())
    };
    let (answers, heard) = send(&[("EHLO", "250-x\r\n250-8BITMIME\r\n250 SMTPUTF8")]);
    assert_eq!(answers, [Answer::Accepted]);
    assert!(heard.contains("MAIL FROM:<me@example.org> SMTPUTF8 BODY=8BITMIME\r\n"), "{heard}");
    assert!(heard.contains("RCPT TO:<j\u{f6}rg@example.org>\r\n"), "{heard}");
    let (answers, heard) = send(&[]);
    assert!(
        matches!(&answers[0], Answer::Refused(why) if why.contains("beyond ASCII"))
            && !heard.contains("MAIL")
    );
}

#[test]
fn a_letter_that_is_too_large_is_told_from_a_full_mailbox() {
    for rules in [
        &[(".", "552 5.3.4 too big")][..],
        &[("MAIL", "552 5.3.4 too big")],
        &[(".", "552 message size exceeds the limit")],
        &[("EHLO", "250-fake.test\r\n250 SIZE 30")],
    ] {
        let fake = Fake::rules(rules);
        fault(&account(fake.port, Tls::None), FaultKind::TooLarge, "too large");
    }
}

#[test]
fn a_server_that_breaks_off_or_talks_nonsense_is_down() {
    for (rules, said) in [
        (&[("greeting", "554 5.7.1 go away")][..], "does not want to talk: 554"),
        (&[("greeting", "421 4.7.0 too many connections")], "421"),
        (&[("greeting", "drop")], "broke off"),
        (&[("greeting", "SSH-2.0-OpenSSH_9.2")], "broke off"),
        (&[("EHLO", "502 no")], "502"),
        (&[("EHLO", "drop")], "broke off"),
        // lettre stumbles over a line of nothing but a space.
        (&[("EHLO", "250-fake\r\n250-  \r\n250 SIZE")], "broke off"),
        (&[("MAIL", "drop")], "broke off"),
        (&[("RCPT", "drop")], "broke off"),
        (&[("RCPT TO:<b@", "421 4.3.2 bye")], "421"),
    ] {
        let fake = Fake::rules(rules);
        fault(&account(fake.port, Tls::None), FaultKind::Down, said);
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fault(&account(closed, Tls::None), FaultKind::Down, "nothing listens there");
    let nowhere = Smtp { host: "no-such-host.invalid".into(), ..account(25, Tls::Starttls) };
    fault(&nowhere, FaultKind::Down, "cannot find the mail server no-such-host.invalid");
}

#[test]
fn no_server_holds_us_beyond_the_deadline_or_fills_the_memory() {
    type Part = fn(Heard<TcpStream>);
    let parts: [(Part, Tls); 5] = [
        // Says nothing.
        (|mut stream| drop(stream.read_to_end(&mut Vec::new())), Tls::None),
        (|mut stream| drop(stream.read_to_end(&mut Vec::new())), Tls::Implicit),
        // A byte a second.
        (
            |mut stream| {
                for byte in b"220 welcome to a very slow server\r\n".iter().cycle().take(60) {
                    if stream.write_all(&[*byte]).is_err() {
                        return;
                    }
                    std::thread::sleep(Duration::from_secs(1));
                }
            },
            Tls::None,
        ),
        // A line without end, and an answer without end.
        (|mut stream| while stream.write_all(&[b'2'; 4096]).is_ok() {}, Tls::None),
        (|mut stream| while stream.write_all(&b"220-on and on\r\n".repeat(200)).is_ok() {}, Tls::Starttls),
    ];
    for (part, tls) in parts {
        let fake = Fake::play(part);
        let fault = send_within(&account(fake.port, tls), Duration::from_secs(2)).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Down, "{:?}", fault.error);
    }
}

#[test]
fn logins() {
    let log_in = |rules, proof| {
        let fake = Fake::rules(rules);
        let result = send(&with_login(account(fake.port, Tls::None), proof));
        (result, fake.heard())
    };
    let (result, heard) = log_in(&[], Proof::Password);
    assert!(result.is_ok() && heard.contains("AUTH PLAIN "), "{heard}");
    let only_login: &[_] = &[
        ("EHLO", "250-x\r\n250 AUTH LOGIN"),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
        ("YW5u", "334 UGFzc3dvcmQ6"),
        ("MHBl", "235 ok"),
    ];
    let (result, heard) = log_in(only_login, Proof::Password);
    assert!(result.is_ok(), "{result:?} {heard}");
    let (result, heard) = log_in(&[], Proof::Token);
    assert!(result.is_ok() && heard.contains("AUTH XOAUTH2 "), "{heard}");

    for (rules, proof, kind, said) in [
        (&[("AUTH", "535 5.7.8 bad credentials 0pen-s3same")][..], Proof::Password, FaultKind::Login, "535"),
        (
            &[("AUTH", "534 5.7.9 application-specific password required")],
            Proof::Password,
            FaultKind::Login,
            "app password",
        ),
        (&[("AUTH", "454 4.7.0 try later")], Proof::Password, FaultKind::Down, "cannot check the login now"),
        (&[("AUTH", "drop")], Proof::Password, FaultKind::Down, "broke off"),
        (&[("EHLO", "250 x")], Proof::Password, FaultKind::Down, "takes no login at all"),
        (&[("EHLO", "250-x\r\n250 AUTH XOAUTH2")], Proof::Password, FaultKind::Down, "token-command"),
        (&[("EHLO", "250-x\r\n250 AUTH CRAM-MD5")], Proof::Password, FaultKind::Down, "but: CRAM-MD5"),
        // {"status":"401"}
        (
            &[("AUTH", "334 eyJzdGF0dXMiOiI0MDEifQ=="), ("\r\n", "535 5.7.8 no")],
            Proof::Token,
            FaultKind::Login,
            "(status 401)",
        ),
        (&[("AUTH", "334 eA=="), ("\r\n", "334 eA==")], Proof::Token, FaultKind::Down, "never decides"),
    ] {
        let (result, _) = log_in(rules, proof);
        let fault = result.unwrap_err();
        let words = format!("{} {}", fault.error.one_line(), fault.error.hints().join(" "));
        assert!(fault.kind == kind && words.contains(said), "{rules:?}: {:?} {words}", fault.kind);
    }
    let fake = Fake::rules(&[("AUTH", "535 5.7.8 no")]);
    let gmail =
        Smtp { preset: Some(Preset::Gmail), ..with_login(account(fake.port, Tls::None), Proof::Password) };
    fault(&gmail, FaultKind::Login, "https://myaccount.google.com/apppasswords");
}

/// A server with TLS from the start, or after STARTTLS; before it `early` is sent along with the answer to STARTTLS.
fn secure(identity: &Identity, starttls: bool, early: &'static str) -> Fake {
    let config = identity.config();
    Fake::play(move |mut stream| {
        if starttls {
            let mut asked = [0; 512];
            let mut turn = |stream: &mut Heard<TcpStream>, said: &str| {
                stream.write_all(said.as_bytes()).unwrap();
                stream.read(&mut asked).unwrap_or(0)
            };
            turn(&mut stream, "220 hello\r\n");
            turn(&mut stream, "250-fake.test\r\n250 STARTTLS\r\n");
            stream.write_all(format!("220 go ahead\r\n{early}").as_bytes()).unwrap();
        }
        let tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        converse(rustls::StreamOwned::new(tls, stream), &[], !starttls);
    })
}

#[test]
fn certificates_are_verified() {
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    let (ours, foreign) = (Authority::new("ours"), Authority::new("foreign"));
    std::fs::write(&ca_file, ours.pem()).unwrap();
    let at = |fake: &Fake, tls| Smtp { ca_file: Some(ca_file.clone()), ..account(fake.port, tls) };
    for (tls, starttls) in [(Tls::Implicit, false), (Tls::Starttls, true)] {
        let sound = secure(&ours.identity(&["localhost"]), starttls, "");
        assert_eq!(send(&at(&sound, tls)).unwrap(), [Answer::Accepted, Answer::Accepted, Answer::Accepted]);
        for (identity, said) in [
            (foreign.identity(&["localhost"]), "does not trust"),
            (ours.identity(&["other.example"]), "is not for localhost, but for"),
            (ours.expired(&["localhost"]), "expired on 20"),
        ] {
            let fake = secure(&identity, starttls, "");
            fault(&at(&fake, tls), FaultKind::Down, said);
            // Nothing of the letter and no login came before the refusal.
            assert!(!fake.heard().contains("MAIL"));
        }
    }
}

#[test]
fn starttls_can_neither_be_stripped_nor_injected_into() {
    let stripped = Fake::rules(&[("EHLO", "250-fake.test\r\n250 AUTH PLAIN")]);
    let hidden = with_login(account(stripped.port, Tls::Starttls), Proof::Password);
    fault(&hidden, FaultKind::Down, "offers no TLS");
    let heard = stripped.heard();
    assert!(!heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");

    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    let ours = Authority::new("ours");
    std::fs::write(&ca_file, ours.pem()).unwrap();
    let injected = secure(&ours.identity(&["localhost"]), true, "250-evil.test\r\n250 AUTH PLAIN\r\n");
    let account = Smtp { ca_file: Some(ca_file), ..account(injected.port, Tls::Starttls) };
    fault(&account, FaultKind::Down, "before TLS began");

    let refused =
        Fake::rules(&[("EHLO", "250-fake.test\r\n250 STARTTLS"), ("STARTTLS", "454 4.7.0 not now")]);
    fault(&self::account(refused.port, Tls::Starttls), FaultKind::Down, "454");
    let plain = Fake::rules(&[]);
    fault(&self::account(plain.port, Tls::Implicit), FaultKind::Down, "tls = \"starttls\"");
}
