//! Saving into a vault, with restic as the judge.

mod adding;
mod faults;
mod locks;
mod restic;
mod sources;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use postkeep::error::Result;
use postkeep::profile::FilterRules;
use postkeep::progress::{Meter, Silent};
use postkeep::vault::store::Store;
use postkeep::vault::store::folder::Folder;
use postkeep::vault::{Estimate, Options, Request, Saved, Vault};

use crate::common::left_out;

const PASSWORD: &str = "correct horse";

/// A vault in a folder, and something to save.
struct Lab {
    temp: tempfile::TempDir,
    filter: FilterRules,
    meter: Meter,
    checkpoint: u64,
    allow_empty: bool,
}

impl Lab {
    /// None: restic is not there.
    fn with_restic() -> Option<Self> {
        if Command::new("restic").arg("version").output().is_err() {
            left_out("restic is missing");
            return None;
        }
        Some(Self::new())
    }

    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("source")).unwrap();
        let (filter, meter) = (FilterRules::default(), Meter::default());
        Self { temp, filter, meter, checkpoint: 1 << 40, allow_empty: false }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path("source").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(Folder::new(&self.path("vault"), jiff::Timestamp::now()))
    }

    fn create(&self) {
        let options = Options { compression: 3, host: "nas".into(), ..Options::default() };
        Vault::create(self.store(), PASSWORD, &options).unwrap();
    }

    fn open(&self) -> Vault {
        self.open_on(self.store())
    }

    fn open_on(&self, store: Arc<dyn Store>) -> Vault {
        Vault::open(store, PASSWORD, &self.path("keys"), &self.path("cache")).unwrap()
    }

    fn request<T>(&self, sources: &[PathBuf], work: impl FnOnce(&Request<'_>) -> T) -> T {
        let state = self.path("state");
        work(&Request {
            profile: "docs",
            host: "nas",
            sources,
            filter: &self.filter,
            one_file_system: false,
            allow_empty_source: self.allow_empty,
            checkpoint: self.checkpoint,
            now: jiff::Timestamp::now(),
            state: Some(&state),
            meter: &self.meter,
            listener: &Silent,
            journal: &postkeep::journal::Forgetful,
        })
    }

    fn try_save_on(&self, vault: &Vault) -> Result<Saved> {
        self.request(&[self.path("source")], |request| vault.save(request))
    }

    fn save(&self) -> Saved {
        self.try_save_on(&self.open()).unwrap()
    }

    fn estimate(&self) -> Estimate {
        self.request(&[self.path("source")], |request| request.estimate().unwrap().0)
    }

    fn restic(&self, args: &[&str]) -> Output {
        let mut command = Command::new("restic");
        command.arg("-r").arg(self.path("vault")).arg("--cache-dir").arg(self.path("restic-cache"));
        command.args(args).env("RESTIC_PASSWORD", PASSWORD).output().unwrap()
    }

    /// What restic said, which must have gone well.
    #[track_caller]
    fn restic_ok(&self, args: &[&str]) -> String {
        let output = self.restic(args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "restic {args:?}\n{out}\n{err}");
        out
    }

    #[track_caller]
    fn restic_json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.restic_ok(&[args, &["--json"]].concat())).unwrap()
    }

    /// Restores the newest snapshot with restic, and returns where the source's copy is.
    #[track_caller]
    fn restored(&self) -> PathBuf {
        let target = self.path("restored");
        let _ = fs::remove_dir_all(&target);
        self.restic_ok(&["restore", "latest", "--target", target.to_str().unwrap()]);
        target.join(self.path("source").strip_prefix("/").unwrap())
    }
}

/// Path, kind, content or target, mode, owner, time and attributes of everything below a folder.
pub fn tree(root: &Path) -> Vec<String> {
    let attributes = |path: &Path| {
        let mut names = vec![0; 4096];
        let length = rustix::fs::llistxattr(path, names.as_mut_slice()).unwrap_or(0);
        let mut found: Vec<_> = names[..length]
            .split(|b| *b == 0)
            .filter(|name| !name.is_empty())
            .map(|name| {
                let mut value = vec![0; 4096];
                let length = rustix::fs::lgetxattr(path, name, value.as_mut_slice()).unwrap();
                (String::from_utf8_lossy(name).into_owned(), value[..length].to_vec())
            })
            .collect();
        found.sort();
        found
    };
    let walk = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().map(Result::unwrap);
    walk.map(|entry| {
        let meta = entry.path().symlink_metadata().unwrap();
        let content = match meta {
            ref meta if meta.is_symlink() => format!("{:?}", fs::read_link(entry.path()).unwrap()),
            ref meta if meta.is_file() => blake3::hash(&fs::read(entry.path()).unwrap()).to_hex().to_string(),
            _ => String::new(),
        };
        format!(
            "{:?} {content} {:o} {}:{} {}.{:09} {:?}",
            entry.path().strip_prefix(root).unwrap(),
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.mtime(),
            meta.mtime_nsec(),
            attributes(entry.path())
        )
    })
    .collect()
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}
