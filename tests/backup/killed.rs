//! Killed at random moments: the next run heals, and nothing that was claimed is missing.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Backup, has_restic, port, restic_agrees};
use crate::common::{Chance, long};
use crate::lab;
use crate::save::noise;

/// Changes about a third of the files.
fn change(backup: &Backup, round: u64, chance: &mut Chance) {
    for n in 0..24 {
        let path = format!("d{}/f{n}", n % 3);
        if !backup.path("source").join(&path).exists() || chance.below(3) == 0 {
            backup.write(
                &path,
                noise(round << 16 | n, 1_000 + usize::try_from(chance.below(200_000)).unwrap()),
            );
        }
    }
}

fn killed(backup: &Backup, kills: u64) {
    let mut chance = Chance(0x7661_756c);
    backup.run(&["vault", "init", "docs"]).expect(0);
    change(backup, 0, &mut chance);
    backup.save().expect(0, "ok");
    change(backup, 1, &mut chance);
    let begun = Instant::now();
    backup.save().expect(0, "ok");
    let usual = u64::try_from(begun.elapsed().as_micros()).unwrap();
    let mut hit = 0;
    for round in 2..kills + 2 {
        change(backup, round, &mut chance);
        let mut run = backup.sandbox.command(&["run", "docs"]);
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(chance.below(usual)));
        run.kill().unwrap();
        hit += u64::from(run.wait().unwrap().code().is_none());
        // All that is listed is there, before anything healed it.
        let verified = backup.run(&["verify", "docs", "--json"]);
        assert_eq!(verified.code, 0, "round {round}: {}{}", verified.stdout, verified.stderr);
        let healed = backup.save();
        assert_eq!(healed.code, 0, "round {round}: {healed:#?}");
        if round % 5 == 0 {
            backup.comes_back("1");
        }
    }
    assert!(hit * 3 > kills, "only {hit} of {kills} were killed at work");
    backup.comes_back("1");
    backup.is_sound("1");
    // What was killed is told, as such.
    let history = backup.sandbox.history();
    let interrupted = history.iter().filter(|run| run["status"] == "interrupted").count();
    assert!(interrupted > 0 && interrupted as u64 <= hit, "{interrupted} interrupted, {hit} killed");
    let sound = |status: &str| ["ok", "unchanged", "interrupted"].contains(&status);
    assert!(history.iter().all(|run| sound(run["status"].as_str().unwrap())), "{history:#?}");
}

fn kills() -> u64 {
    if long() { 200 } else { 10 }
}

#[test]
fn a_folder_outlives_every_kill() {
    let backup = Backup::new();
    // Old snapshots are forgotten too: that needs a lock that nobody else holds.
    let vault = backup.text("vault");
    backup.profile(&[&vault], "keep-last = 2\ncheckpoint = \"500 kB\"");
    killed(&backup, kills());
    if has_restic() {
        restic_agrees(&backup, &backup.path("vault"));
        let locks = fs::read_dir(backup.path("vault/locks")).unwrap();
        let names = locks.map(|lock| lock.unwrap().file_name().into_string().unwrap());
        // Half a file of a process that was killed is no lock; it is swept when it is old.
        let left: Vec<_> = names.filter(|name| name.len() == 64).collect();
        assert!(left.is_empty(), "locks are left: {left:?}");
    }
}

#[test]
fn a_mailbox_outlives_every_kill() {
    let Some(lab) = lab::get() else { return };
    let backup = Backup::new();
    backup.account("user29", port(lab), "");
    backup.profile(&["imap:box/Killed"], "keep-last = 2\ncheckpoint = \"500 kB\"");
    killed(&backup, kills());
}
