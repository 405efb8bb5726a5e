//! Backups from outside: the binary, real servers, and restic as the judge.

mod budget;
mod cut;
mod disk;
mod killed;
mod life;
mod recovered;
mod zoo;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::common::{Ran, Sandbox, left_out};
use crate::lab::{Lab, PASSWORD};
use crate::save::{noise, tree};

/// The vaults' password.
const VAULT_PASSWORD: &str = "correct horse";

/// A sandbox with a profile `docs` that backs up the folder `source`.
struct Backup {
    sandbox: Sandbox,
}

/// What became of a run.
#[derive(Debug)]
struct Told {
    code: i32,
    /// The run's outcome, as `run --json` prints it.
    outcome: Value,
}

impl Told {
    fn status(&self) -> &str {
        self.outcome["status"].as_str().unwrap_or_default()
    }

    /// Panics with everything that was said unless the run ended so.
    #[track_caller]
    fn expect(self, code: i32, status: &str) -> Self {
        assert_eq!((self.code, self.status()), (code, status), "{self:#?}");
        self
    }

    /// The outcome's sentence on what went wrong.
    fn error(&self) -> &str {
        self.outcome["error"]["text"].as_str().unwrap_or_default()
    }

    /// The new snapshot's id in the profile's vault of this number, from nought.
    fn snapshot(&self, vault: usize) -> Option<&str> {
        self.outcome["vaults"][vault]["snapshot"].as_str()
    }
}

impl Backup {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        fs::create_dir_all(sandbox.path("source")).unwrap();
        let backup = Self { sandbox };
        backup.secret("vault-password", VAULT_PASSWORD);
        backup
    }

    fn path(&self, path: &str) -> PathBuf {
        self.sandbox.path(path)
    }

    /// A path as text.
    fn text(&self, path: &str) -> String {
        self.path(path).to_str().unwrap().to_owned()
    }

    /// Writes a file that only its owner can read.
    fn secret(&self, path: &str, secret: &str) {
        self.sandbox.write(path, &format!("{secret}\n"));
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes a file into the source.
    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path("source").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Files of bytes that do not compress.
    fn fill(&self, folder: &str, files: u64, bytes: usize) {
        (0..files).for_each(|n| self.write(&format!("{folder}/{n}"), noise(n << 8 | 1, bytes)));
    }

    /// Writes the profile.
    fn profile(&self, vaults: &[&str], more: &str) {
        let (source, password) = (self.path("source"), self.path("vault-password"));
        let text = format!(
            "kind = \"backup\"\nsource = {source:?}\nvault = {vaults:?}\nvault-password-file = {password:?}\n{more}\n"
        );
        self.sandbox.write("config/profiles/docs.toml", &text);
    }

    /// Writes the account `box`: a user's mailbox at a port without TLS.
    fn account(&self, user: &str, port: u16, more: &str) {
        self.secret("secret", PASSWORD);
        let secret = self.path("secret");
        self.sandbox.write(
            "config/postkeep.toml",
            &format!(
                "[accounts.box]\nuser = {user:?}\npassword-file = {secret:?}\n\
                 imap = {{ host = \"127.0.0.1\", port = {port}, tls = \"none\"{more} }}\n\
                 [report]\nto = [\"ann@example.org\"]\non = [\"success\", \"warning\", \"failure\"]\n"
            ),
        );
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.sandbox.run(args)
    }

    /// What a verb prints for programs.
    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat()).expect(0);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
    }

    /// Runs the profile.
    fn save(&self) -> Told {
        told(self.run(&["run", "docs", "--json"]))
    }

    /// Sees that the last snapshot in a vault of the profile (counted from one) restores to what the source is.
    #[track_caller]
    fn comes_back(&self, vault: &str) {
        let target = self.path("back");
        let _ = fs::remove_dir_all(&target);
        let latest = format!("latest:{}", self.text("source"));
        self.run(&["restore", "docs", &latest, "--vault", vault, "-t", target.to_str().unwrap()]).expect(0);
        assert_eq!(tree(&target), tree(&self.path("source")));
    }

    /// Sees that everything in a vault of the profile is whole.
    #[track_caller]
    fn is_sound(&self, vault: &str) {
        let verified = self.json(&["verify", "docs", "--vault", vault, "--read-data"]);
        assert!(
            verified["ok"] == true && verified["problems"].as_array().unwrap().is_empty(),
            "{verified:#}"
        );
    }
}

/// The outcome of the only run that was told of.
fn told(ran: Ran) -> Told {
    let runs: Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}\nstdout:\n{}\nstderr:\n{}", ran.stdout, ran.stderr));
    let runs = runs.as_array().unwrap();
    // A run that was killed before is told first.
    let last = runs.iter().rfind(|run| run["run"]["profile"] == "docs");
    let outcome = last.map_or(Value::Null, |run| run["run"]["outcome"].clone());
    Told { code: ran.code, outcome }
}

/// Runs restic on a repository; it must go well.
#[track_caller]
fn restic(repository: &Path, args: &[&str]) -> String {
    let mut command = Command::new("restic");
    command.arg("-r").arg(repository).arg("--no-cache").args(args).env("RESTIC_PASSWORD", VAULT_PASSWORD);
    Ran::from(command.output().unwrap()).expect(0).stdout
}

/// Whether restic is here.
fn has_restic() -> bool {
    let has = Command::new("restic").arg("version").output().is_ok();
    if !has {
        left_out("what restic says of a vault: restic is missing");
    }
    has
}

/// Has restic look at every byte of a repository and restore it, and compares with the source.
#[track_caller]
fn restic_agrees(backup: &Backup, repository: &Path) {
    let said = restic(repository, &["check", "--read-data"]);
    assert!(said.contains("no errors were found"), "{said}");
    let target = backup.path("restored-by-restic");
    let _ = fs::remove_dir_all(&target);
    restic(repository, &["restore", "latest", "--target", target.to_str().unwrap()]);
    let source = backup.path("source");
    assert_eq!(tree(&target.join(source.strip_prefix("/").unwrap())), tree(&source));
}

/// The port of the lab's IMAP without TLS.
fn port(lab: &Lab) -> u16 {
    lab.mailbox("nobody", postkeep::profile::Tls::None).port
}
