//! The archive of mail.

mod files;
mod imap;
mod pop3;
mod put;
mod whole;

use std::io::Read;
use std::path::{Path, PathBuf};

use postkeep::archive::source::{Body, Folder, Listed, Listing, Refusal, Since, Source};
use postkeep::error::Result;
use postkeep::mail::secret::{self, Secret};
use postkeep::profile::SecretSource;

use crate::lab::PASSWORD;

/// What became of a message that was fetched.
type Fetched = std::result::Result<Vec<u8>, Refusal>;

/// A source's folder by its path.
fn folder(path: &str) -> Folder {
    Folder { path: path.into(), special: None, mark: None }
}

/// What is in a folder.
fn list(source: &mut dyn Source, path: &str) -> Result<Listing> {
    source.list(&folder(path), Since::default())
}

/// What becomes of messages, which must come in order and once; and how it ended.
fn try_fetch(source: &mut dyn Source, path: &str, messages: &[Listed]) -> (Vec<Fetched>, Result<()>) {
    let mut all = Vec::new();
    let done = source.fetch(&folder(path), messages, &mut |at, result| {
        assert_eq!(at, all.len());
        all.push(result.map(bytes));
        Ok(())
    });
    (all, done)
}

/// What becomes of messages, all of them.
#[track_caller]
fn fetch(source: &mut dyn Source, path: &str, messages: &[Listed]) -> Vec<Fetched> {
    let (all, done) = try_fetch(source, path, messages);
    done.unwrap();
    assert_eq!(all.len(), messages.len());
    all
}

fn bytes(body: Body) -> Vec<u8> {
    match body {
        Body::Held(bytes) => bytes,
        Body::Spooled(mut file, size) => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, size);
            bytes
        }
    }
}

/// The secret of the lab's users.
fn lab_secret() -> Secret {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, PASSWORD).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    secret::fetch(&SecretSource::File(path)).unwrap()
}

/// The collection of real mails, sorted; None: it is not beside this checkout.
fn real_mails() -> Option<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/mail");
    let Ok(files) = std::fs::read_dir(&folder) else {
        crate::common::left_out("the collection of real mails is not beside this checkout");
        return None;
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    paths.sort();
    assert!(paths.len() > 100);
    Some(paths)
}
