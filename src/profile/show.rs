//! A profile with all its values: for `config show`, and as the canonical form that its fingerprint is taken of.

mod values;

use serde::Serialize;
use serde_json::{Value, json};

use self::values::values;
use super::inherit::{How, Origin, Origins};
use super::problem::show_file;
use super::{Keeping, Profile, SecretSource, units};
use crate::entry;

/// One value of a profile, as meant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// The key, `report.to` for one in a table.
    pub key: &'static str,
    /// The value for programs: sizes in bytes, durations as `30d`, null where there is none.
    pub value: Value,
    /// The value for people, as it could be written in a file.
    #[serde(skip)]
    pub text: String,
    /// Where it was written; none: it is built in.
    pub origin: Option<Origin>,
}

impl Shown {
    /// Where the value comes from, for people: `profiles/documents.toml:3`, `built in`.
    pub fn whence(&self) -> String {
        let Some(origin) = &self.origin else { return "built in".into() };
        let place = format!("{}:{}", show_file(&origin.file), origin.place.line);
        match &origin.how {
            How::Own => place,
            How::Inherited { from } => format!("inherited from {} ({place})", entry::show(from.as_bytes())),
            How::Default { table } => format!("{place} [{table}]"),
        }
    }
}

/// All values of `profile`, in the order of the documentation.
pub fn show(profile: &Profile, origins: &Origins) -> Vec<Shown> {
    let values = values(profile).into_iter().map(|(key, value)| {
        let text = match (key, &value) {
            ("source" | "target" | "vault" | "vault-password-file" | "only-if.mounted", value) => {
                escaped(value)
            }
            (
                "exclude-larger-than" | "exclude-smaller-than" | "checkpoint" | "report.attach-log-max",
                Value::Number(bytes),
            ) => {
                format!("\"{}\"", units::show_size(bytes.as_u64().unwrap_or_default()))
            }
            _ => text(&value),
        };
        Shown { key, value, text, origin: origins.get(key).cloned() }
    });
    values.collect()
}

/// A value for people. JSON's own text would let through what a terminal obeys.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => format!("\"{}\"", entry::show(text.as_bytes())),
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A path, or a list of them, for people: they are escaped already.
fn escaped(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{text}\""),
        Value::Array(items) => format!("[{}]", items.iter().map(escaped).collect::<Vec<_>>().join(", ")),
        other => text(other),
    }
}

/// 16 hexadecimal digits that change when the meaning changes.
pub(super) fn fingerprint(profile: &Profile) -> String {
    // An array of pairs, so that the text does not hang on how a library sorts keys.
    let mut canonical: Vec<_> = values(profile).into_iter().map(|(key, value)| json!([key, value])).collect();
    // Of a webhook more counts than what may be shown.
    let hooks = [&profile.report.webhook, &profile.ping];
    canonical.extend(hooks.into_iter().flatten().map(|webhook| json!(["webhook", webhook.0])));
    // Of a command likewise.
    if let Some(Keeping { password: SecretSource::Command(command), .. }) = profile.job.keeping() {
        canonical.push(json!(["vault-password-command", command]));
    }
    let canonical = json!(canonical);
    blake3::hash(canonical.to_string().as_bytes()).to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::load::tests::one;
    use super::super::schema::{FileKind, shape};
    use super::*;

    const PLAIN: &str = "kind = 'sync'\nsource = '/a'\ntarget = '/b'\nmode = 'mirror'\n";

    const BACKUP: &str = "kind = 'backup'\nsource = ['/a', '~/b\\x']\nvault = ['/v', 'imap:m/V']\n";

    #[test]
    fn every_key_of_a_profile_is_shown() {
        let mut keys = shape(FileKind::Profile).paths();
        let no_values = ["inherit", "description", "run-after-fail", "repository"];
        keys.retain(|key| !no_values.contains(&key.as_str()));
        let mut shown = BTreeSet::new();
        let archive = "kind = 'archive'\nsource = 'imap:m'\nvault = '/v'\nvault-keyring = true\n";
        for text in [PLAIN, &format!("{BACKUP}vault-keyring = true\n"), archive] {
            let keys: Vec<_> = show(&one(text), &Origins::new()).iter().map(|item| item.key).collect();
            let before = shown.len();
            shown.extend(keys.iter().copied());
            assert!(shown.len() > before && keys.len() == keys.iter().collect::<BTreeSet<_>>().len());
        }
        assert_eq!(shown.into_iter().collect::<Vec<_>>(), keys);
    }

    #[test]
    fn a_backup_is_shown_as_it_could_be_written_and_its_secret_is_not() {
        let profile = one(&format!("{BACKUP}vault-password-command = 'echo hunter2'\nkeep-within = '2w'\n"));
        let shown = show(&profile, &Origins::new());
        let text = |key: &str| shown.iter().find(|shown| shown.key == key).unwrap().text.as_str();
        for (key, expected) in [
            ("kind", "\"backup\""),
            ("source", "[\"/a\", \"/home/me/b\\\\x\"]"),
            ("vault", "[\"/v\", \"imap:m/V\"]"),
            ("vault-password-command", "\"***\""),
            ("vault-password-file", "none"),
            ("keep-daily", "none"),
            ("keep-within", "\"14d\""),
            ("checkpoint", "\"500 MB\""),
            ("compression", "3"),
        ] {
            assert_eq!(text(key), expected, "{key}");
        }
        assert!(!format!("{shown:?}").contains("hunter2"));
    }

    #[test]
    fn the_fingerprint_is_of_the_meaning() {
        let fingerprint = |text: &str| one(text).fingerprint;
        let plain = fingerprint(PLAIN);
        assert_eq!(plain.len(), 16);
        let same = format!(
            "# a comment\n{PLAIN}keep-versions = '720h'\nmax-delete = \"25% or 50\"\ndescription = 'x'\n"
        );
        assert_eq!(fingerprint(&same), plain);
        for other in
            ["exclude = 'x'", "flush = false", "keep-versions = '31d'", "[report]\nto = 'a@example.org'"]
        {
            assert_ne!(fingerprint(&format!("{PLAIN}{other}\n")), plain, "{other}");
        }
        let backup = |more: &str| fingerprint(&format!("{BACKUP}{more}\n"));
        let command = backup("vault-password-command = 'a'");
        assert_eq!(backup("vault-password-command = 'a'\ncheckpoint = '500MB'"), command);
        for other in ["vault-password-command = 'b'", "vault-keyring = true", "vault-password-env = 'A'"] {
            assert_ne!(backup(other), command, "{other}");
        }
    }
}
