//! Vaults made by restic itself, and what our verbs make of them.

mod damaged;
mod keys;
mod looking;
mod repairing;
mod restoring;
mod tending;

use std::path::PathBuf;
use std::process::Command;

use crate::common::{Ran, Sandbox, left_out};

/// A sandbox with a vault in `vault`, made by restic; its password is in `password`.
pub struct Vaulted {
    pub sandbox: Sandbox,
}

impl Vaulted {
    /// None: restic is not here.
    pub fn new() -> Option<Self> {
        if Command::new("restic").arg("version").output().is_err() {
            left_out("restic is missing");
            return None;
        }
        let vaulted = Self { sandbox: Sandbox::new() };
        vaulted.secret("password", "open sesame");
        vaulted.restic(&["init"]).expect(0);
        Some(vaulted)
    }

    /// Writes a file with a password.
    pub fn secret(&self, path: &str, password: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.sandbox.write(path, &format!("{password}\n"));
        std::fs::set_permissions(self.sandbox.path(path), PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// Runs restic on the vault.
    pub fn restic(&self, args: &[&str]) -> Ran {
        let mut command = Command::new("restic");
        command.arg("--repo").arg(self.sandbox.path("vault")).args(args);
        command.env("RESTIC_PASSWORD_FILE", self.sandbox.path("password"));
        command.env("XDG_CACHE_HOME", self.sandbox.path("restic-cache"));
        Ran::from(command.output().unwrap())
    }

    /// Saves the folder `source` with restic.
    pub fn save(&self) {
        let source = self.sandbox.path("source");
        self.restic(&["backup", "--host", "nas", source.to_str().unwrap()]).expect(0);
    }

    /// Writes the profile `docs`, which saves `source` into the vault.
    pub fn profile(&self, more: &str) {
        let text = format!(
            "kind = \"backup\"\nsource = {:?}\nvault = {:?}\nvault-password-file = {:?}\n{more}\n",
            self.source(""),
            self.sandbox.path("vault"),
            self.sandbox.path("password"),
        );
        self.sandbox.write("config/profiles/docs.toml", &text);
    }

    /// Runs our verb on the vault.
    pub fn run(&self, verb: &[&str]) -> Ran {
        let (vault, password) = (self.sandbox.path("vault"), self.sandbox.path("password"));
        let which = ["--vault", vault.to_str().unwrap(), "--vault-password-file", password.to_str().unwrap()];
        self.sandbox.run(&[verb, &which].concat())
    }

    /// `latest:` and the path of something in the source.
    pub fn latest(&self, path: &str) -> String {
        format!("latest:{}", self.source(path).display())
    }

    pub fn source(&self, path: &str) -> PathBuf {
        self.sandbox.path("source").join(path)
    }

    /// The files of a kind of object.
    pub fn objects(&self, folder: &str) -> Vec<PathBuf> {
        let walk = walkdir::WalkDir::new(self.sandbox.path("vault").join(folder)).sort_by_file_name();
        let files = walk.into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
        files.map(walkdir::DirEntry::into_path).collect()
    }
}
