//! Which keys a profile of each kind takes.

use super::super::load::tests::{files, rendered};
use super::super::{Job, MAIN_FILE, SecretSource, VaultPlace};

const SYNC: &str = "kind = 'sync'\nsource = '/s'\ntarget = '/t'\nmode = 'copy'\n";
const ARCHIVE: &str = "kind = 'archive'\nsource = 'imap:m'\nvault = '/v'\nvault-keyring = true\n";
const BACKUP: &str = "kind = 'backup'\nsource = '/s'\nvault = '/v'\nvault-keyring = true\n";

#[test]
fn each_kind_has_its_keys() {
    let bare = "kind = 'backup'\nsource = '/s'\n";
    for (text, said) in [
        (SYNC.to_owned(), ""),
        (BACKUP.into(), ""),
        (
            format!("{SYNC}keep-daily = 7\n"),
            "5:14: error: \"keep-daily\" belongs to kind = \"backup\" or \"archive\", and this is a sync",
        ),
        (format!("{SYNC}vault = '/v'\n"), "5:9: error: \"vault\" belongs to kind = \"backup\""),
        (format!("{BACKUP}target = '/t'\n"), "5:10: error: \"target\" belongs to kind = \"sync\""),
        (
            format!("{BACKUP}mode = 'copy'\n"),
            "error: \"mode\" belongs to kind = \"sync\", and this is a backup",
        ),
        (format!("{BACKUP}keep-versions = false\n"), "hint: a vault keeps snapshots: keep-daily = 7"),
        (format!("{BACKUP}max-delete = 5\nflush = true\ncheck-roots = true\n"), "\"check-roots\" belongs"),
        (String::new(), "error: the key \"kind\" is missing"),
        ("source = '/s'\nvault = '/v'\n".into(), "error: the vault has no password"),
        ("kind = 'backup'\n".into(), "error: the key \"source\" is missing"),
        (format!("{bare}vault-keyring = true\n"), "error: the key \"vault\" is missing"),
        (format!("{bare}vault = '/v'\n"), "hint: add a line: vault-password-command = "),
        (format!("{bare}vault = []\nvault-keyring = true\n"), "3:9: error: vault is an empty list"),
        (BACKUP.replace("'/s'", "[]"), "2:10: error: source is an empty list"),
        (format!("{BACKUP}repository = '/w'\n"), "5:14: error: vault and repository are two names"),
        (format!("{BACKUP}vault-password-env = 'X'\n"), "vault-password-env and vault-keyring"),
        (BACKUP.replace("true", "false"), "4:17: error: false says nothing here"),
        (BACKUP.replace("'/v'", "'s3:x'"), "3:9: error: s3: names an object store"),
        (SYNC.replace("'/s'", "['/a', '/b']"), "2:10: error: a sync has one source, and here are 2"),
        (ARCHIVE.into(), ""),
        (format!("{ARCHIVE}folders = ['*', '!Spam']\nlabels = false\nkeep-daily = 1\n"), ""),
        (format!("{ARCHIVE}folders = []\n"), "5:11: error: folders is an empty list"),
        (format!("{ARCHIVE}exclude = 'x'\n"), "hint: folders are left out with folders"),
        (format!("{ARCHIVE}mode = 'copy'\n"), "belongs to kind = \"sync\", and this is an archive"),
        (format!("{BACKUP}folders = '*'\n"), "\"folders\" belongs to kind = \"archive\""),
        (format!("{ARCHIVE}on-mail = true\n"), ""),
        (format!("{BACKUP}on-mail = true\n"), "\"on-mail\" belongs to kind = \"archive\""),
        (
            format!("{}on-mail = true\n", ARCHIVE.replace("imap:m", "mbox:/m")),
            "5:11: error: on-mail needs a source that is a mailbox by IMAP",
        ),
        (format!("{}on-mail = false\n", ARCHIVE.replace("imap:m", "mbox:/m")), ""),
        (ARCHIVE.replace("imap:m", "/mail"), "2:10: error: \"/mail\" is no place of messages"),
        (BACKUP.replace("/s", "imap:m"), "2:10: error: \"imap:m\" names messages"),
        (SYNC.replace("/s", "imap:m"), "2:10: error: \"imap:m\" names messages"),
        (format!("{BACKUP}keep-last = 0\n"), "5:13: error: the number is to be 1 or more"),
        (
            format!("{BACKUP}compression = 23\n"),
            "5:15: error: the level of compression is to be from -7 to 22",
        ),
        (format!("{BACKUP}checkpoint = 'x'\n"), "5:14: error: \"x\" is no size"),
    ] {
        let said_of = rendered(&files(&[("one", &text)]));
        assert!(said_of.contains(said) && said_of.is_empty() == said.is_empty(), "{text}: {said_of}");
    }
}

/// What is shared is meant for whoever can use it.
#[test]
fn what_is_shared_counts_for_its_kind_alone() {
    let main = "[defaults]\nkeep-versions = '1d'\nkeep-daily = 7\nvault-password-env = 'X'\nvault = '/all'\nmode = 'copy'\n";
    let loaded = files(&[
        (MAIN_FILE, main),
        ("_base", "target = '/t'\ncheckpoint = '1GB'\nrepository = '/base'\n"),
        ("backup", "inherit = '_base'\nkind = 'backup'\nsource = ['/a', '/b']\nvault-password-file = '/p'\n"),
        ("plain", "kind = 'backup'\nsource = '/a'\n"),
        ("sync", "inherit = '_base'\nkind = 'sync'\nsource = ['/a']\n"),
    ]);
    assert_eq!(rendered(&loaded), "");
    let jobs: Vec<_> = loaded.config.profiles.iter().map(|profile| &profile.job).collect();
    let [Job::Backup(backup), Job::Backup(plain), Job::Sync(sync)] = jobs.as_slice() else { panic!() };
    // Who says one of two names, or one of five ways, takes back the others that stand below.
    assert_eq!(backup.keeping.vaults, [VaultPlace::Folder("/base".into())]);
    assert_eq!(backup.keeping.password, SecretSource::File("/p".into()));
    assert_eq!(
        (backup.keeping.checkpoint, backup.keeping.keep.as_ref().unwrap().daily),
        (1_000_000_000, Some(7))
    );
    assert_eq!(plain.keeping.vaults, [VaultPlace::Folder("/all".into())]);
    assert_eq!(plain.keeping.password, SecretSource::Env("X".into()));
    assert_eq!(sync.keep_versions, Some(jiff::SignedDuration::from_hours(24)));
    // The alias is known by its place too.
    assert_eq!(loaded.origins["backup"]["vault"].place.line, 3);
    assert!(!loaded.origins["sync"].contains_key("vault"));
}

#[test]
fn of_several_parents_the_last_one_wins_whatever_way_it_says_it() {
    let loaded = files(&[
        ("_a", "vault-keyring = true\nschedule = '@daily'\nvault = '/a'\n"),
        ("_b", "vault-password-env = 'X'\nevery = '1h'\nrepository = '/b'\n"),
        ("x", "inherit = ['_a', '_b']\nkind = 'backup'\nsource = '/s'\n"),
    ]);
    assert_eq!(rendered(&loaded), "");
    let Job::Backup(job) = &loaded.config.profiles[0].job else { panic!() };
    assert_eq!(job.keeping.vaults, [VaultPlace::Folder("/b".into())]);
    assert!(!loaded.origins["x"].contains_key("schedule"));
}
