//! Whole messages: made-up ones as a person last saw them, real ones, and those that want to hang us.

use std::fmt::Write;
use std::path::Path;

use super::cases::CASES;
use super::*;

fn told(view: &View) -> String {
    let mut out = String::new();
    for (name, text) in &view.headers {
        writeln!(out, "{name}: {text}").unwrap();
    }
    writeln!(out, "\n{}----", view.text).unwrap();
    for Attachment { part, name, file, kind, size, .. } in &view.attachments {
        writeln!(out, "{part}  {name:?} -> {file}  {kind}  {size} bytes").unwrap();
    }
    view.notes.iter().chain(&view.unseen).for_each(|note| writeln!(out, "{note}").unwrap());
    out
}

fn harmless(view: &View) {
    let bad = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let told = told(view);
    assert_eq!(told.find(bad), None, "{told:?}");
    assert!(view.headers.iter().all(|(_, text)| !text.contains('\n')), "{view:?}");
    assert!(view.text.len() <= MOST_TEXT + 1000 && view.attachments.len() <= parts::MOST_PARTS);
}

#[test]
fn made_up_messages_look_as_they_did() {
    for (name, raw) in CASES {
        let view = view(raw);
        harmless(&view);
        crate::report::golden::compare_in("src/archive/view/golden", &format!("{name}.txt"), &told(&view));
    }
}

#[test]
fn real_mails_can_be_looked_at() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/mail");
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("left out: the collection of real mails is not beside this checkout");
        return;
    };
    let (mut count, mut empty, mut without) = (0, 0, 0);
    for file in files.map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "eml") {
            continue;
        }
        let view = view(&std::fs::read(&file).unwrap());
        harmless(&view);
        assert!(!view.unseen.iter().any(|note| note.contains("understood")), "{}", file.display());
        count += 1;
        empty += usize::from(view.text.is_empty() && view.attachments.is_empty());
        without += usize::from(view.headers.is_empty());
    }
    eprintln!("{count} mails have a view; {empty} have nothing in it, {without} no header");
    assert!(count > 1000 && empty < count / 10 && without < count / 20, "{count} {empty} {without}");
}

#[test]
fn a_message_of_200_mb_is_looked_at_in_bounded_memory() {
    let mut raw = b"Subject: large\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n".to_vec();
    raw.extend(std::iter::repeat_n(*b"a line of text\n", 4_000_000).flatten());
    raw.extend_from_slice(b"--b\nContent-Transfer-Encoding: base64\nContent-Type: image/png\n\n");
    raw.extend(std::iter::repeat_n(*b"QUJDREVGR0g=\n", 11_000_000).flatten());
    raw.extend_from_slice(b"\n--b--\n");
    assert!(raw.len() > 200_000_000);
    let view = view(&raw);
    harmless(&view);
    assert_eq!(view.attachments[0].size, 8 * 11_000_000);
    assert_eq!(view.notes, ["Only the first 512.0 KiB of the text are shown"]);
}

#[test]
fn every_beginning_of_a_message_and_every_spoilt_one_has_a_view() {
    for (_, raw) in CASES {
        for at in 0..raw.len().min(3000) {
            harmless(&view(&raw[..at]));
            let mut spoilt = raw.to_vec();
            spoilt[at] = spoilt[at].wrapping_add(97);
            harmless(&view(&spoilt));
        }
    }
}

#[test]
fn broken_messages_have_a_view() {
    for raw in [
        &b""[..],
        b"\n",
        b"\xff\xfe\x00",
        b"Content-Type: multipart/mixed; boundary=\"\"\n\n----\n",
        b"Content-Type: text/html; charset=\"\x00\"\n\n<\xff>",
        b"From: <<<<>>>>((((\nTo: =?utf-8?b?\x80?=\nSubject: =?x?z?=?=\nDate: never\n\n",
    ] {
        harmless(&view(raw));
    }
    for unit in ["a,", "(", "\"", "<", "=?utf-8?q?=41?= ", "a:b;", "\\", "\t\n "] {
        let raw =
            format!("From: {}\nContent-Type: x/y; {}\n\nbody", unit.repeat(100_000), unit.repeat(100_000));
        harmless(&view(raw.as_bytes()));
    }
}

#[test]
fn what_was_not_looked_into_is_told_apart_from_text_that_is_cut() {
    let mut raw = String::from("Content-Type: multipart/mixed; boundary=b\n\n");
    (0..1200).for_each(|n| raw.push_str(&format!("--b\nContent-Type: image/png; name={n}\n\nx\n")));
    let many = view(raw.as_bytes());
    assert_eq!((many.attachments.len(), many.notes.len()), (1000, 0));
    assert_eq!(many.unseen, ["200 more parts are not looked into"]);
    let mut raw = String::new();
    (0..55).for_each(|n| {
        raw.push_str(&format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"));
    });
    raw.push_str("Content-Type: application/pdf; name=x.pdf\n\nx\n");
    assert_eq!(view(raw.as_bytes()).unseen.len(), 1);
    assert!(view(b"Subject: x\n\nbody").unseen.is_empty());
}
