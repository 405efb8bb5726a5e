//! Reports on their way through real servers, to the mailbox of a reader.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use mail_parser::MessageParser;

use crate::common::{Ran, Sandbox, long};
use crate::lab::{self, Lab, from_our_first_header};

/// A profile whose reports go to `reader` through the lab's Postfix.
fn sandbox(lab: &Lab, tls: &str, reader: &str, report: &str) -> Sandbox {
    let sandbox = Sandbox::with_mirror();
    sandbox.write("source/a", "x");
    let account = lab.account(tls, &sandbox.path("secret"));
    sandbox.write(
        "config/postkeep.toml",
        &format!("{account}[report]\naccount = \"lab\"\nto = [\"{reader}@localhost\"]\n{report}\n"),
    );
    sandbox
}

/// The letters of a reader, when there are so many.
fn letters(lab: &Lab, reader: &str, wanted: usize) -> Vec<Vec<u8>> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let letters = lab.inbox(reader);
        if letters.len() >= wanted || Instant::now() > until {
            assert_eq!(letters.len(), wanted, "letters of {reader}");
            return letters;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn subject(letter: &[u8]) -> String {
    MessageParser::default().parse(letter).unwrap().subject().unwrap().to_owned()
}

fn id(letter: &[u8]) -> String {
    MessageParser::default().parse(letter).unwrap().message_id().unwrap().to_owned()
}

#[test]
fn a_report_arrives_byte_for_byte_by_every_kind_of_line() {
    let Some(lab) = lab::get() else { return };
    for (reader, tls) in [("user0", "implicit"), ("user1", "starttls"), ("user2", "none")] {
        let sandbox = sandbox(lab, tls, reader, "");
        let ran = sandbox.run(&["run", "docs"]).expect(0);
        assert!(ran.stdout.contains(&format!("report: sent to {reader}@localhost by lab")), "{}", ran.stdout);
        let letter = letters(lab, reader, 1).remove(0);
        let raw = sandbox.command(&["report", "docs", "--raw"]).output().unwrap().stdout;
        assert!(raw.starts_with(b"From: "));
        assert_eq!(from_our_first_header(&letter), raw, "{tls}");
        let from =
            MessageParser::default().parse(&raw).unwrap().from().unwrap().first().unwrap().address.clone();
        let expected = if tls == "none" { None } else { Some("ann@localhost") };
        assert_eq!(from.as_deref().filter(|_| expected.is_some()), expected);
        assert_eq!(sandbox.run(&["outbox"]).expect(0).stdout, "the outbox is empty\n");
        // Again, because somebody asked for it: the same letter.
        sandbox.run(&["report", "docs", "--send"]).expect(0);
        let letters = letters(lab, reader, 2);
        assert_eq!(from_our_first_header(&letters[0]), from_our_first_header(&letters[1]));
    }
}

#[test]
fn a_refused_login_is_tried_once_until_the_secret_changes() {
    let Some(lab) = lab::get() else { return };
    let sandbox = sandbox(lab, "implicit", "user3", "");
    // A user of its own: other tests are refused too.
    let config = sandbox.read("config/postkeep.toml");
    sandbox.write("config/postkeep.toml", &config.replace("ann@localhost", "carl@localhost"));
    let secret = fs::read_to_string(sandbox.path("secret")).unwrap();
    fs::write(sandbox.path("secret"), "wr0ng-s3cret\n").unwrap();
    let before = lab.refused_logins("carl@localhost");
    let ran = sandbox.run(&["run", "docs"]).expect(3);
    assert!(ran.stderr.contains("refuses the login of carl@localhost: 535"), "{}", ran.stderr);
    sandbox.write("source/b", "x");
    let again = sandbox.run(&["run", "docs"]).expect(3);
    assert!(again.stderr.contains("not tried again with the secret that was refused"), "{}", again.stderr);
    let status = sandbox.run(&["status"]).expect(0).stdout;
    assert!(
        status.contains("postkeep account test lab") && status.contains("2 reports could not"),
        "{status}"
    );
    assert_eq!(lab.refused_logins("carl@localhost") - before, 1, "one refused login is enough");
    for said in [ran.stdout, ran.stderr, again.stderr, status] {
        assert!(!said.contains("wr0ng"), "{said}");
    }
    fs::write(sandbox.path("secret"), secret).unwrap();
    sandbox.run(&["outbox", "flush"]).expect(0);
    let letters = letters(lab, "user3", 2);
    let runs: Vec<_> =
        sandbox.history().iter().rev().map(|run| run["id"].as_str().unwrap().to_owned()).collect();
    for (letter, run) in letters.iter().zip(runs) {
        assert!(id(letter).starts_with(&run), "in the order of the runs: {} {run}", id(letter));
    }
    assert!(!sandbox.run(&["status"]).expect(0).stdout.contains("account test"));
}

#[test]
fn a_letter_waits_for_a_server_that_is_down_and_says_that_it_is_late() {
    let Some(lab) = lab::get() else { return };
    let sandbox = sandbox(lab, "starttls", "user4", "");
    let config = sandbox.read("config/postkeep.toml");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    sandbox.write("config/postkeep.toml", &config.replace(&lab.starttls.to_string(), &nobody.to_string()));
    let ran = sandbox.run(&["run", "docs"]).expect(3);
    assert!(ran.stderr.contains("nothing listens there"), "{}", ran.stderr);
    let listed = sandbox.run(&["outbox", "--json"]).expect(0).stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["letters"][0]["recipient"]["state"], "queued");
    assert_eq!(listed["letters"][0]["recipient"]["tries"], 1);
    // Two hours go by.
    sandbox.sql("UPDATE letter SET created = created - 7200000000");
    sandbox.write("config/postkeep.toml", &config);
    sandbox.run(&["run", "docs"]).expect(0);
    let letter = letters(lab, "user4", 1).remove(0);
    let message = MessageParser::default().parse(&letter).unwrap();
    assert!(message.body_text(0).unwrap().starts_with("DELIVERED LATE."));
    assert_eq!(message.header_raw("X-Postkeep-Delayed").map(str::trim), Some("yes"));
    assert!(sandbox.run(&["account", "list"]).expect(0).stdout.contains("reports"));
}

#[test]
fn one_refused_recipient_does_not_hold_the_others_up() {
    let Some(lab) = lab::get() else { return };
    let sandbox = sandbox(lab, "implicit", "user5", "");
    let config = sandbox.read("config/postkeep.toml");
    let to = "\"user5@localhost\", \"refused@localhost\", \"later@localhost\", \"user6@localhost\"";
    sandbox.write("config/postkeep.toml", &config.replace("\"user5@localhost\"", to));
    let ran = sandbox.run(&["run", "docs"]).expect(3);
    assert!(ran.stdout.contains("sent to user5@localhost, user6@localhost by lab"), "{}", ran.stdout);
    assert!(ran.stderr.contains("refused for refused@localhost: 550 5.1.1"), "{}", ran.stderr);
    letters(lab, "user5", 1);
    letters(lab, "user6", 1);
    let listed = sandbox.run(&["outbox"]).expect(0).stdout;
    assert!(listed.contains("REFUSED: 550") && listed.contains("waits after 1 try"), "{listed}");
    // What is named is tried again, but nobody gets it twice.
    let id = sandbox.history()[0]["id"].as_str().unwrap().to_owned();
    sandbox.run(&["outbox", "flush", &id]).expect(3);
    sandbox.run(&["outbox", "drop", &id]).expect(2);
    sandbox.run(&["outbox", "drop", &id, "--yes"]).expect(0);
    assert_eq!(sandbox.run(&["outbox"]).expect(0).stdout, "the outbox is empty\n");
    assert_eq!(lab.inbox("user5").len(), 1);
    assert!(sandbox.run(&["report", &id]).expect(0).stdout.contains("docs"));
}

#[test]
fn a_letter_that_is_too_large_goes_without_its_log() {
    let Some(lab) = lab::get() else { return };
    // Names that no compression makes small, so that the log alone is more than the server takes.
    let sandbox = sandbox(lab, "implicit", "user7", "attach-log = \"always\"\nattach-log-max = \"8MiB\"");
    let mut seed = 7_u64;
    for _ in 0..26_000 {
        let mut name = String::new();
        for _ in 0..10 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            name.push_str(&format!("{:016x}", seed.rotate_left(17) ^ (seed >> 29)));
        }
        fs::write(sandbox.path(&format!("source/{name}")), "").unwrap();
    }
    sandbox.run(&["run", "docs"]).expect(0);
    let letter = letters(lab, "user7", 1).remove(0);
    let raw = sandbox.command(&["report", "docs", "--raw"]).output().unwrap().stdout;
    assert!(raw.len() > 2_000_000 && letter.len() < 200_000, "{} {}", raw.len(), letter.len());
    let message = MessageParser::default().parse(&letter).unwrap();
    assert!(message.body_text(0).unwrap().contains("was left out"));
}

#[test]
fn an_account_is_tested_step_by_step() {
    let Some(lab) = lab::get() else { return };
    let sandbox = sandbox(lab, "starttls", "user8", "");
    let tested = sandbox.run(&["account", "test", "lab"]).expect(0).stdout;
    for part in [
        "resolve  localhost: ",
        "TLS 1.3, issued by postkeep's lab, valid until 20",
        "ann@localhost (PLAIN)",
        "letters up to 1.9 MiB",
        "accepted for user8@localhost",
    ] {
        assert!(tested.contains(part), "{part} in {tested}");
    }
    let letter = letters(lab, "user8", 1).remove(0);
    assert!(
        MessageParser::default().parse(&letter).unwrap().subject().unwrap().starts_with("[TEST] postkeep on")
    );
    let full = sandbox.run(&["account", "test", "lab", "--full", "--no-letter"]).expect(0).stdout;
    assert!(full.contains("own server") && !full.contains("localhost") && !full.contains("ann"), "{full}");
    // A login that was refused is remembered, and forgotten after a good one.
    let secret = fs::read_to_string(sandbox.path("secret")).unwrap();
    fs::write(sandbox.path("secret"), "wrong\n").unwrap();
    let ran = sandbox.run(&["account", "test", "lab"]).expect(1);
    assert!(
        ran.stdout.contains("login    FAILED") && ran.stderr.contains("535"),
        "{} {}",
        ran.stdout,
        ran.stderr
    );
    assert!(sandbox.run(&["account", "list"]).expect(0).stdout.contains("login refused"));
    fs::write(sandbox.path("secret"), secret).unwrap();
    sandbox.run(&["account", "test", "lab", "--no-letter"]).expect(0);
    assert!(!sandbox.run(&["account", "list"]).expect(0).stdout.contains("login refused"));
}

#[test]
fn from_nothing_to_a_report_in_the_mailbox_with_seven_questions() {
    let Some(lab) = lab::get() else { return };
    let sandbox = Sandbox::new();
    fs::remove_file(sandbox.path("config/postkeep.toml")).unwrap();
    fs::create_dir_all(sandbox.path("home/Documents")).unwrap();
    sandbox.write("home/Documents/letter", "Dear Ann");
    let started = Instant::now();
    let server = format!("localhost:{}", lab.starttls);
    let answers =
        format!("\n{}\n\n\nuser9@localhost\n{server}\n{}\n", sandbox.path("copy").display(), lab::PASSWORD);
    let config = sandbox.path("config");
    let trusting = |args: &[&str]| {
        let mut command = sandbox.command(args);
        command.env("SSL_CERT_FILE", lab.ca_file());
        command
    };
    let mut command = trusting(&["init"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), answers.as_bytes()).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap()).expect(0);
    assert_eq!(ran.stdout.matches("\n> ").count(), 7, "{}", ran.stdout);
    assert!(ran.stdout.contains("accepted for user9@localhost"), "{}", ran.stdout);
    assert!(!ran.stdout.contains(lab::PASSWORD));
    Ran::from(trusting(&["run", "documents"]).output().unwrap()).expect(0);
    let took = started.elapsed();
    let letters = letters(lab, "user9", 2);
    let subjects: Vec<_> = letters.iter().map(|letter| subject(letter)).collect();
    assert!(subjects[0].starts_with("[TEST]") && subjects[1].starts_with("[OK] documents"), "{subjects:?}");
    assert!(took < Duration::from_secs(90), "{took:?}");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(config.join("mail.secret")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_killed_delivery_loses_no_report_and_doubles_are_the_same() {
    let Some(lab) = lab::get() else { return };
    let sandbox = sandbox(lab, "implicit", "user10", "");
    let kills = if long() { 200 } else { 25 };
    let mut seed = std::process::id() | 1;
    for round in 0..kills {
        sandbox.write(&format!("source/file-{round}"), "x");
        let mut child =
            sandbox.command(&["run", "docs"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        // A whole run takes about a fifth of a second here, most of it the delivery.
        std::thread::sleep(Duration::from_micros(u64::from(seed % 250_000)));
        let _ = child.kill();
        child.wait().unwrap();
    }
    sandbox.write("source/last", "x");
    sandbox.run(&["run", "docs"]).expect(0);
    assert_eq!(sandbox.run(&["outbox"]).expect(0).stdout, "the outbox is empty\n");
    let runs: BTreeSet<String> = sandbox
        .history()
        .iter()
        .filter(|run| run["status"] != "unchanged")
        .map(|run| run["id"].as_str().unwrap().to_owned())
        .collect();
    // Postfix may still be handing the last ones over.
    let until = Instant::now() + Duration::from_secs(30);
    let mut found = std::collections::BTreeMap::new();
    let mut doubles = 0;
    while Instant::now() < until && found.len() < runs.len() {
        found.clear();
        doubles = 0;
        for letter in lab.inbox("user10") {
            let id = id(&letter).split('.').next().unwrap().to_owned();
            let own = from_our_first_header(&letter).to_vec();
            if let Some(first) = found.insert(id, own.clone()) {
                assert_eq!(first, own, "a double is another letter");
                doubles += 1;
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let arrived: BTreeSet<String> = found.into_keys().collect();
    assert_eq!(arrived, runs);
    eprintln!("{kills} kills, {} reports, {doubles} doubles", runs.len());
}

/// Keeps the lab for somebody who wants to look: `POSTKEEP_TEST_STAY=600 cargo test the_lab_stays -- --nocapture`.
#[test]
fn the_lab_stays_as_long_as_it_is_wanted() {
    let Some(seconds) = std::env::var("POSTKEEP_TEST_STAY").ok().and_then(|text| text.parse().ok()) else {
        return;
    };
    let Some(lab) = lab::get() else { return };
    let (implicit, starttls, ca) = (lab.implicit, lab.starttls, lab.ca_file());
    eprintln!("ann, bob, user0 to user39 @localhost; password {}", lab::PASSWORD);
    eprintln!(
        "implicit {implicit}, starttls {starttls}, relay {}; SSL_CERT_FILE={}",
        lab.relay,
        ca.display()
    );
    std::thread::sleep(Duration::from_secs(seconds));
}
