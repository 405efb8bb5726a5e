//! The master key, kept on this machine for the next time.
//!
//! Deriving it from the password takes half a second and 136 MB, on purpose: it makes guessing at a vault slow. Who
//! opens a vault every quarter of an hour with the right password need not pay that each time. So the master key is
//! kept in a folder that only its owner can read, encrypted with a key that is derived from the password quickly.
//!
//! What that protects: without the password the file is of no use, and a wrong password is refused. What it does not:
//! who gets hold of the file can guess at the password as fast as the machine computes, not ten times a second. A
//! password that people make up may fall then; one of sixteen random characters does not. The file lies on the machine
//! whose files are saved, beside the command or file that the password comes from.
//!
//! A file is named by the vault's key that it came from. It is used only while that key is in the vault: a removed
//! password opens nothing any more.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustic_core::repofile::MasterKey;
use zeroize::Zeroizing;

use super::crypt::Key;
use super::store::Id;
use crate::error::{Context, Result};

/// Tells this use of a password from all others.
const CONTEXT: &str = "postkeep 2026 sealed master key of a vault";

/// The key under which the master key of `of` is sealed.
fn sealing_key(password: &str, of: &Id) -> Key {
    let mut bytes = Zeroizing::new([0; 64]);
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(&of.0).update(password.as_bytes());
    hasher.finalize_xof().fill(bytes.as_mut_slice());
    Key::new(bytes)
}

/// Looks for the master key that one of the vault's keys gave earlier.
pub(super) fn unseal(
    dir: &Path,
    password: &str,
    keys: impl IntoIterator<Item = Id>,
) -> Option<(Id, MasterKey)> {
    keys.into_iter().find_map(|id| {
        let path = dir.join(id.to_string());
        let sealed = fs::read(&path).ok()?;
        for (path, mode) in [(dir, 0o700), (path.as_path(), 0o600)] {
            close(path, mode);
        }
        let json = sealing_key(password, &id).decrypt(&sealed)?;
        Some((id, serde_json::from_slice(&json).ok()?))
    })
}

/// Takes others' rights away, which a copy or a restore of the state may have given them. Where that fails, it is not ours.
fn close(path: &Path, mode: u32) {
    if fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0) {
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode));
    }
}

/// Keeps a master key. The file is complete or absent.
///
/// # Errors
/// The file cannot be written.
pub(super) fn seal(dir: &Path, password: &str, id: &Id, master: &MasterKey) -> Result<()> {
    let json = Zeroizing::new(serde_json::to_vec(master).context(|| "cannot keep the master key".into())?);
    let sealed = sealing_key(password, id).encrypt(&json)?;
    let path = dir.join(id.to_string());
    let temp = dir.join(format!(".{id}.{}", std::process::id()));
    let write = || {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temp)?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        fs::rename(&temp, &path)
    };
    write()
        .inspect_err(|_| drop(fs::remove_file(&temp)))
        .context(|| format!("cannot keep the master key in {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_opens_with_its_password_and_while_its_key_is_there() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("keys");
        let (id, other) = (Id([1; 32]), Id([2; 32]));
        let master = MasterKey::new();
        seal(&dir, "right", &id, &master).unwrap();
        let (from, unsealed) = unseal(&dir, "right", [other, id]).unwrap();
        assert_eq!((from, &unsealed.encrypt), (id, &master.encrypt));
        assert!(unseal(&dir, "wrong", [id]).is_none());
        assert!(unseal(&dir, "right", [other]).is_none());
        fs::rename(dir.join(id.to_string()), dir.join(other.to_string())).unwrap();
        assert!(unseal(&dir, "right", [other]).is_none(), "a file under another name opens");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let modes = || (mode(&dir), mode(&dir.join(other.to_string())));
        assert_eq!(modes(), (0o700, 0o600));
        for (path, mode) in [(dir.clone(), 0o755), (dir.join(other.to_string()), 0o644)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        assert!(unseal(&dir, "right", [other]).is_none());
        assert_eq!(modes(), (0o700, 0o600), "a key is left open to others");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "a temporary file is left");
    }
}
