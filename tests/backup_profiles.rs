//! Profiles of kind `backup` as a person meets them: checked, shown, listed; what their commands are told.

use std::fs;

use serde_json::Value;

use crate::common::Sandbox;
use crate::verbs::golden::{golden, squeezed};

const ACCOUNTS: &str = "[accounts.gmail]\npreset = \"gmail\"\nuser = \"ann@gmail.com\"\npassword-env = \"X\"\n\
    [accounts.box]\nuser = \"ann\"\npassword-file = \"~/box.secret\"\n\
    imap = { host = \"mail.example.org\", upload-per-day = \"1GB\" }\n\
    [report]\naccount = \"gmail\"\n";

/// A sandbox with two folders, two accounts and a sound backup `keys`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("config/postkeep.toml", ACCOUNTS);
    sandbox.write("keys/id", "secret");
    sandbox.write("papers/a", "paper");
    backup(
        &sandbox,
        "keys",
        "vault = [\"imap:gmail/Backups/laptop\", \"maildir:~/Mail/Vault\"]\nkeep-daily = 7",
    );
    sandbox
}

/// Writes a backup of the two folders.
fn backup(sandbox: &Sandbox, name: &str, more: &str) {
    let (keys, papers) = (sandbox.path("keys"), sandbox.path("papers"));
    let text = format!(
        "kind = \"backup\"\nsource = [{keys:?}, {papers:?}]\nvault-password-command = \"echo hunter2\"\n{more}\n"
    );
    sandbox.write(&format!("config/profiles/{name}.toml"), &text);
}

#[test]
fn the_configuration_is_checked_and_shown() {
    let sandbox = sandbox();
    fs::create_dir_all(sandbox.path("home/Mail")).unwrap();
    let sound = sandbox.run(&["config", "check"]).expect(0).stdout;
    assert_eq!(sound, "1 profile, no problems\n");
    let shown = sandbox.run(&["config", "show", "keys"]).expect(0).stdout;
    golden("config-show-backup", &sandbox, &squeezed(&shown));
    assert!(!shown.contains("hunter2"));
    let inside = sandbox.path("papers/vault");
    backup(&sandbox, "inside", &format!("vault = {inside:?}"));
    backup(&sandbox, "kinds", "vault = \"/v\"\ntarget = \"/t\"\nkeep-versions = \"30d\"");
    backup(&sandbox, "one-basket", "vault = \"imap:gmail/Backups/laptop\"");
    backup(&sandbox, "stores", "vault = \"s3:https://host/bucket\"\ncompression = 30");
    backup(&sandbox, "typo", "vault = \"imap:gmial/V\"");
    sandbox.write("config/profiles/bare.toml", "kind = \"backup\"\n");
    let ran = sandbox.run(&["config", "check"]).expect(1);
    golden("config-check-backup", &sandbox, &ran.stdout);
    assert_eq!(ran.stderr, "");
}

#[test]
fn accounts_and_profiles_are_listed_with_both_sides() {
    let sandbox = sandbox();
    let listed = sandbox.run(&["account", "list"]).expect(0).stdout;
    let rows: Vec<String> =
        listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        rows,
        [
            "ACCOUNT KIND WHERE USED FOR STATE",
            "box imap mail.example.org:993 - -",
            "gmail smtp, imap smtp.gmail.com:465 reports, vault -"
        ]
    );
    let listed: Value =
        serde_json::from_str(&sandbox.run(&["account", "list", "--json"]).expect(0).stdout).unwrap();
    assert_eq!(listed["accounts"][0]["kind"], "imap");
    assert_eq!(listed["accounts"][0]["secret"], "password-file");
    assert_eq!(listed["accounts"][1]["imap"], "imap.gmail.com:993");
    let profiles = sandbox.run(&["run"]).expect(2).stderr;
    let line = format!(
        "{}, {} -> imap:gmail/Backups/laptop, maildir:",
        sandbox.path("keys").display(),
        sandbox.path("papers").display()
    );
    assert!(profiles.contains(&line) && profiles.contains("  keys  backup"), "{profiles}");
}

#[test]
fn a_command_is_told_all_sources_and_vaults() {
    let sandbox = sandbox();
    let (seen, vault) = (sandbox.path("seen"), sandbox.path("vault"));
    // It fails, so that nothing is saved.
    let hook = format!(
        "run-before = \"printf '%s|%s' \\\"$POSTKEEP_SOURCE\\\" \\\"$POSTKEEP_TARGET\\\" > {}; false\"",
        seen.display()
    );
    backup(&sandbox, "told", &format!("vault = [{vault:?}, \"imap:box/V\"]\n{hook}"));
    sandbox.run(&["run", "told"]).expect(1);
    let expected = format!(
        "{}\n{}|{}\nimap:box/V",
        sandbox.path("keys").display(),
        sandbox.path("papers").display(),
        vault.display()
    );
    assert_eq!(sandbox.read("seen"), expected);
}
