//! A provider's budget that is smaller than what there is to save.

use super::{Backup, port};
use crate::lab;
use crate::lab::proxy::{Fault, Proxy};

#[test]
fn a_run_pauses_where_the_budget_ends_and_the_next_sends_only_the_rest() {
    let Some(lab) = lab::get() else { return };
    let backup = Backup::new();
    let proxy = Proxy::new(port(lab), Fault::Cut, u64::MAX);
    let mut last = 0;
    let mut sent = || {
        let all = proxy.passed(u64::MAX);
        all - std::mem::replace(&mut last, all)
    };
    backup.account("user28", proxy.port, ", upload-per-day = \"24 MB\"");
    backup.profile(&["imap:box/Slow"], "checkpoint = \"3 MB\"");
    // They are 41 MB on the wire.
    backup.fill("files", 100, 300_000);
    backup.run(&["vault", "init", "docs"]).expect(0);
    sent();
    let paused = backup.save().expect(3, "paused");
    let first = sent();
    assert!((10_000_000..25_000_000).contains(&first), "{first} bytes went over the wire: {paused:#?}");
    let pause = &paused.outcome["paused"];
    let at = |key: &str| pause[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(at("until") > jiff::Timestamp::now() && at("done") >= at("until"), "{paused:#?}");
    let letters = backup.sandbox.letters();
    let letter = mail_parser::MessageParser::default().parse(letters.last().unwrap()).unwrap();
    let (subject, text) = (letter.subject().unwrap(), letter.body_text(0).unwrap());
    assert!(subject.to_lowercase().contains("paused"), "{subject}");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["it can go on from", "are in a snapshot so far", "of 24 MB", " left", "postkeep run docs"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let status = backup.run(&["status"]).expect(0).stdout;
    assert!(status.contains("docs: its provider takes no more until"), "{status}");
    // What a checkpoint secured stays; another run by hand is no way around the budget.
    let tagged = backup.json(&["snapshots", "docs", "--tag", "checkpoint"]);
    assert_eq!(tagged.as_array().unwrap().len(), 1, "{tagged:#}");
    sent();
    backup.save().expect(3, "paused");
    let again = sent();
    assert!(first + again < 25_000_000, "{again} bytes were sent beyond the budget");

    backup.account("user28", proxy.port, "");
    let rest = backup.save().expect(0, "ok");
    let second = sent();
    // At most one slice was sent twice.
    let all = first + again + second;
    assert!((41_000_000..50_000_000).contains(&all), "{first} + {again} + {second}: {rest:#?}");
    let left = backup.json(&["snapshots", "docs"]);
    let left = left.as_array().unwrap();
    assert!(left.len() == 1 && left[0]["tags"].as_array().unwrap().is_empty(), "{left:#?}");
    backup.comes_back("1");
    backup.is_sound("1");
}

#[test]
fn what_reads_a_vault_pauses_where_the_budget_ends() {
    let Some(lab) = lab::get() else { return };
    let backup = Backup::new();
    backup.account("user28", port(lab), "");
    backup.profile(&["imap:box/Read"], "");
    // More than one message: the first one comes, as it would on no other day either.
    backup.fill("files", 30, 600_000);
    backup.run(&["vault", "init", "docs"]).expect(0);
    backup.save().expect(0, "ok");
    backup.account("user28", port(lab), ", download-per-day = \"1 MB\"");
    let target = backup.text("back");
    let file = format!("latest:{}/files/1", backup.text("source"));
    let verbs: [&[&str]; 3] =
        [&["restore", "docs", "-t", &target], &["dump", "docs", &file], &["verify", "docs", "--read-data"]];
    for verb in verbs {
        let ran = backup.run(verb).expect(3);
        assert!(ran.stderr.contains("paused by the provider's budget"), "{}", ran.stderr);
        assert!(ran.stderr.contains("download-per-day = false"), "{}", ran.stderr);
        assert!(!ran.stdout.contains("DAMAGED"), "{}", ran.stdout);
    }
}
