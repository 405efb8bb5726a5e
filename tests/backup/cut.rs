//! A connection that is cut at many points of a run, a server that has enough, and one that goes for good.

use std::process::Stdio;
use std::time::Duration;

use super::{Backup, port, told};
use crate::common::long;
use crate::lab;
use crate::lab::proxy::{Fault, Proxy, Spoil};
use crate::save::noise;

#[test]
fn wherever_the_connection_is_cut_a_run_says_what_it_did_and_the_next_heals() {
    let Some(lab) = lab::get() else { return };
    cut_at_many_points("user27", port(lab));
}

#[test]
fn cyrus_may_be_cut_off_as_well() {
    let Some(cyrus) = lab::cyrus::get() else { return };
    cut_at_many_points("bob", cyrus.port);
}

fn cut_at_many_points(user: &str, port: u16) {
    let backup = Backup::new();
    let quiet = Proxy::new(port, Fault::Cut, u64::MAX);
    backup.account(user, quiet.port, "");
    backup.profile(&["imap:box/Cut"], "keep-last = 2");
    backup.run(&["vault", "init", "docs"]).expect(0);
    backup.fill("first", 4, 100_000);
    let before = quiet.passed(u64::MAX);
    backup.save().expect(0, "ok");
    let usual = quiet.passed(u64::MAX) - before;
    let points = if long() { 60 } else { 15 };
    let mut cuts = 0;
    for point in 0..points {
        (0..4).for_each(|n| backup.write(&format!("first/{n}"), noise(point << 8 | n, 100_000)));
        let proxy = Proxy::new(port, Fault::Cut, usual * point / points + point * 7);
        backup.account(user, proxy.port, "");
        let told = backup.save();
        cuts += u64::from(proxy.happened());
        drop(proxy);
        backup.account(user, port, "");
        match told.code {
            0 => backup.comes_back("1"),
            code => {
                assert!(code == 1 && !told.error().is_empty(), "{told:#?}");
                backup.save().expect(0, "ok");
            }
        }
    }
    assert!(cuts > points / 2, "{cuts} of {points} runs were cut");
    backup.save().expect(0, "unchanged");
    backup.comes_back("1");
    backup.is_sound("1");
}

/// Answers that store nothing.
fn refusing(answer: &'static str) -> Spoil {
    let mut refused = 0;
    Box::new(move |said| {
        let text = String::from_utf8_lossy(&said);
        let Some(at) = text.find(" OK [APPENDUID") else { return Some(said) };
        refused += 1;
        // What came first is let through: the run has something to lose.
        if refused < 4 {
            return Some(said);
        }
        let tag = text[..at].rsplit('\n').next().unwrap_or_default().to_owned();
        Some(format!("{tag} {answer}\r\n").into_bytes())
    })
}

#[test]
fn what_a_server_refuses_is_no_success() {
    let Some(lab) = lab::get() else { return };
    let backup = Backup::new();
    backup.account("user27", port(lab), "");
    backup.profile(&["imap:box/Refused"], "checkpoint = \"1 MB\"");
    backup.run(&["vault", "init", "docs"]).expect(0);
    for (round, (answer, code, status, said)) in [
        ("NO [OVERQUOTA] Quota exceeded (mailbox for user is full)", 1, "failed", "full"),
        ("NO [THROTTLED] Account exceeded bandwidth limits", 3, "paused", "goes on later"),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = format!("round {round}");
        (0..8).for_each(|n| backup.write(&format!("{folder}/{n}"), noise(round as u64 * 100 + n, 700_000)));
        let proxy = Proxy::spoiling(port(lab), refusing(answer));
        backup.account("user27", proxy.port, "");
        let told = backup.save().expect(code, status);
        let sentence = told.outcome["paused"]["reason"].as_str().unwrap_or(told.error());
        assert!(sentence.contains(said), "{answer}: {told:#?}");
        assert!(told.snapshot(0).is_none(), "{answer}: {told:#?}");
        drop(proxy);
        backup.account("user27", port(lab), "");
        backup.save().expect(0, "ok");
        backup.comes_back("1");
    }
    backup.is_sound("1");
}

#[test]
fn a_run_whose_server_is_gone_can_be_stopped_and_heals() {
    let Some(lab) = lab::get() else { return };
    let backup = Backup::new();
    backup.account("user27", port(lab), "");
    backup.profile(&["imap:box/Gone"], "");
    backup.run(&["vault", "init", "docs"]).expect(0);
    backup.fill("files", 8, 700_000);
    let proxy = Proxy::new(port(lab), Fault::Gone, 2_000_000);
    backup.account("user27", proxy.port, "");
    let mut command = backup.sandbox.command(&["run", "docs", "--json"]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..600 {
        if proxy.happened() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let id = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let stopped = told(run.wait_with_output().unwrap().into());
    // It waited no more: a server that is tried again for minutes makes a failed run.
    let stopped = stopped.expect(130, "cancelled");
    assert!(proxy.happened() && stopped.snapshot(0).is_none(), "{stopped:#?}");
    backup.account("user27", port(lab), "");
    backup.save().expect(0, "ok");
    backup.comes_back("1");
    backup.is_sound("1");
}
