//! A tree of hard cases goes into a mailbox and comes back, judged from outside.

use std::path::Path;
use std::process::Command;

use super::{Backup, port};
use crate::common::{Ran, judge};
use crate::lab;

#[test]
fn a_tree_of_hard_cases_comes_back_from_a_mailbox() {
    let (Some(zoo), Some(verify)) = (judge("tree_zoo.py"), judge("verify_zoo.py")) else { return };
    let Some(lab) = lab::get() else { return };
    let python = |script: &Path, args: &[&str]| {
        Ran::from(Command::new("/usr/bin/python3").arg(script).args(args).output().unwrap())
    };
    let backup = Backup::new();
    backup.account("user25", port(lab), "");
    backup.profile(&["imap:box/Zoo"], "");
    let (source, target) = (backup.text("source"), backup.text("back"));
    python(&zoo, &["--profile", "full", &source]).expect(0);
    backup.run(&["vault", "init", "docs"]).expect(0);
    let saved = backup.save();
    assert_eq!((saved.code, saved.outcome["errors"].as_u64()), (0, Some(0)), "{saved:#?}");
    backup.save().expect(0, "unchanged");
    backup.run(&["restore", "docs", &format!("latest:{source}"), "-t", &target]).expect(0);
    python(&verify, &["--owner", "--ignore", "sparse", &source, &target]).expect(0);
    backup.is_sound("1");
}
