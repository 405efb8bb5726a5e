//! Whether a key of a vault is what was stored, and may be tried.

use rustic_core::repofile::KeyFile;

use super::store::Id;
use crate::error::Error;

/// The most memory that deriving a key from a password may take, in bytes. restic asks for 128 MiB at most; whoever
/// can write to the store could ask for any amount.
const SCRYPT_MEMORY: u64 = 1 << 30;

/// Refuses a key that is not what was stored, or is none.
pub(super) fn sound_key(read: &[u8], id: &Id, place: &str) -> Result<(), Error> {
    if Id::of(read) != *id {
        return Err(Error::other(format!(
            "the key {} in {place} is damaged: its content does not fit its name",
            id.short()
        ))
        .hint("if there is a copy of it, bring it back; another password of the vault opens it as well"));
    }
    check_key(read, id, place)
}

/// Refuses a key that would cost more memory than restic's own ever do.
fn check_key(read: &[u8], id: &Id, place: &str) -> Result<(), Error> {
    #[derive(serde::Deserialize)]
    struct Cost {
        #[serde(rename = "N")]
        n: u32,
        r: u32,
        p: u32,
    }
    let fits = serde_json::from_slice::<KeyFile>(read).is_ok()
        && serde_json::from_slice(read).is_ok_and(|Cost { n, r, p }| {
            let memory = 128 * u64::from(n) * u64::from(r);
            n.is_power_of_two() && (1..=SCRYPT_MEMORY).contains(&memory) && (1..=16).contains(&p)
        });
    match fits {
        true => Ok(()),
        false => Err(Error::other(format!(
            "the key {} in {place} cannot be used: it is not as restic makes keys",
            id.short()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_not_ask_for_any_amount_of_memory() {
        for (key, fits) in [
            (r#""N":131072,"r":8,"p":1"#, true),
            (r#""N":32768,"r":8,"p":3"#, true),
            (r#""N":2147483648,"r":8,"p":1"#, false),
            (r#""N":131072,"r":4294967295,"p":1"#, false),
            (r#""N":131072,"r":8,"p":100000"#, false),
            (r#""N":131071,"r":8,"p":1"#, false),
            (r#""N":0,"r":8,"p":1"#, false),
            (r#""N":131072,"r":0,"p":1"#, false),
            (r#""N":131072,"r":8"#, false),
        ] {
            let key = format!(r#"{{"kdf":"scrypt",{key},"data":"AAAA","salt":"AAAA"}}"#);
            assert_eq!(check_key(key.as_bytes(), &Id::NONE, "here").is_ok(), fits, "{key}");
        }
        for key in ["", "{}", r#"{"N":131072,"r":8,"p":1}"#] {
            assert!(check_key(key.as_bytes(), &Id::NONE, "here").is_err(), "{key}");
        }
    }
}
