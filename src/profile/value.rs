//! The values that a key of a file can have. Each is read from TOML, says in the schema what it takes, and refuses
//! with a [`Wrong`] what cannot be meant.

use std::borrow::Cow;
use std::fmt;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, IntoDeserializer, SeqAccess, Visitor};
use toml::Value;

use super::wrong::{Wrong, quote};
use super::{Cron, MaxDelete, Way, timing, units};
use crate::entry::Name;

/// One value, or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Items<T>(std::marker::PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for Items<T> {
            type Value = OneOrMany<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                T::deserialize(text.into_deserializer()).map(|item| OneOrMany(vec![item]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(OneOrMany(all))
            }
        }
        from.deserialize_any(Items(std::marker::PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [item, { "type": "array", "items": item }] })
    }
    fn inline_schema() -> bool {
        true
    }
}

/// A value type that is read from one TOML value: its name, what it holds, its JSON types, and how it is read.
macro_rules! value {
    ($(#[$doc:meta])* $name:ident($inner:ty), $types:tt, $read:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name(pub $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let read: fn(Value) -> Result<$inner, Wrong> = $read;
                read(Value::deserialize(from)?).map(Self).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": $types })
            }
            fn inline_schema() -> bool {
                true
            }
        }
    };
}
pub(super) use value;

value!(
    /// Bytes.
    Size(u64), ["integer", "string"],
    |value| match value {
        Value::String(text) => units::size(&text),
        other => whole(other, "a size"),
    }
);

value!(
    /// A length of time.
    Length(SignedDuration), "string", |value| units::duration(&text(value)?)
);

value!(
    /// How long old versions are kept; none: not at all.
    KeepVersions(Option<SignedDuration>), ["boolean", "string"],
    |value| match value {
        Value::Boolean(true) => Ok(Some(super::KEEP_VERSIONS)),
        Value::Boolean(false) => Ok(None),
        other => units::duration(&text(other)?).map(Some),
    }
);

value!(
    /// A length of time, or none.
    LengthOrOff(Option<SignedDuration>), ["boolean", "string"],
    |value| match value {
        Value::Boolean(true) => Err(Wrong::new("true says nothing here").hint("write a duration, such as \"6h\", or false")),
        Value::Boolean(false) => Ok(None),
        other => units::duration(&text(other)?).map(Some),
    }
);

value!(
    /// How long a source has to be quiet after a change; none: changes are not watched.
    Settle(Option<SignedDuration>), ["boolean", "string"],
    |value| match value {
        Value::Boolean(true) => Ok(Some(timing::SETTLE)),
        Value::Boolean(false) => Ok(None),
        other => match units::duration(&text(other)?)? {
            quiet if quiet > SignedDuration::from_hours(1) => {
                Err(Wrong::new("a source that has to be quiet for more than an hour may never be copied")
                    .hint("write less than \"1h\"; for a rhythm there are schedule and every"))
            }
            // The watcher tells of the same profile a few times a second at most.
            quiet if quiet < SignedDuration::from_secs(1) => {
                Err(Wrong::new("a source has to be quiet for a second at least").hint("write \"1s\" or more"))
            }
            quiet => Ok(Some(quiet)),
        },
    }
);

value!(
    /// A line of a crontab.
    CronText(Cron), "string", |value| Cron::parse(&text(value)?)
);

value!(
    /// A number from 1 to 100.
    SmallNumber(u32), "integer", |value| {
        let number = whole(value, "a number")?;
        u32::try_from(number).ok().filter(|number| (1..=100).contains(number))
            .ok_or_else(|| Wrong::new("the number is to be from 1 to 100"))
    }
);

value!(
    /// How many of something are kept, at least one.
    Number(u32), "integer", |value| {
        let number = whole(value, "a number")?;
        u32::try_from(number).ok().filter(|number| *number > 0)
            .ok_or_else(|| Wrong::new("the number is to be 1 or more").hint("leave the key out where none is to be kept for it"))
    }
);

/// The least that a limit of a mailbox may be: below it nothing gets done.
const LEAST_LIMIT: u64 = 64 << 10;

value!(
    /// What a mailbox takes, in bytes; none: no limit.
    Limit(Option<u64>), ["boolean", "integer", "string"],
    |value| {
        let bytes = match value {
            Value::Boolean(false) => return Ok(None),
            Value::Boolean(true) => return Err(Wrong::new("true says nothing here").hint("write a size, such as \"500MB\", or false")),
            Value::String(text) => units::size(&text)?,
            other => whole(other, "a size")?,
        };
        match bytes {
            0..LEAST_LIMIT => Err(Wrong::new("the limit is less than 64 KiB").hint("write false for no limit")),
            bytes => Ok(Some(bytes)),
        }
    }
);

value!(
    /// A level of zstd.
    Compression(i32), "integer", |value| match value {
        Value::Integer(level @ -7..=22) => Ok(i32::try_from(level).unwrap_or_default()),
        _ => Err(Wrong::new("the level of compression is to be from -7 to 22")
            .hint("3 is usual; 0 does not compress at all")),
    }
);

value!(
    /// A command for the shell.
    CommandText(String), "string", |value| {
        let text = text(value)?;
        match text.trim() {
            "" => Err(Wrong::new("the command is empty")),
            _ if text.contains('\0') => Err(Wrong::new("a command cannot hold the character NUL")),
            _ => Ok(text),
        }
    }
);

value!(
    /// The most that a run may delete unasked.
    DeleteLimit(MaxDelete), ["boolean", "integer", "string"],
    |value| match value {
        Value::Boolean(true) => Ok(MaxDelete::default()),
        Value::Boolean(false) => Ok(MaxDelete { percent: 100, entries: u64::MAX }),
        Value::String(text) => delete_limit(&text),
        other => Ok(MaxDelete { percent: 0, entries: whole(other, "a number of entries")? }),
    }
);

value!(
    /// A path as written: `~` and variables are still in it.
    PathText(String), "string", |value| {
        let text = text(value)?;
        match text.trim() {
            "" => Err(Wrong::new("the path is empty")),
            _ if text.contains('\0') => Err(Wrong::new("a path cannot hold the character NUL")),
            _ => Ok(text),
        }
    }
);

value!(
    /// A pattern with the rules of gitignore.
    Pattern(String), "string", |value| pattern(text(value)?)
);

value!(
    /// The name of a file, without its folder.
    Marker(String), "string", |value| {
        let text = text(value)?;
        match Name::new(text.as_bytes()) {
            Some(_) => Ok(text),
            None => Err(Wrong::new(format!("{} is no name of a file", quote(&text)))
                .hint("a name without folder, such as \"CACHEDIR.TAG\"")),
        }
    }
);

value!(
    /// A mail address, with or without a name: `me@example.org`, `Me <me@example.org>`.
    Address(String), "string", |value| {
        let text = text(value)?;
        let why = match super::mailbox(&text) {
            Ok(_) if text.contains(char::is_control) || text.len() > 1000 => "it has what no address has",
            Ok(_) => return Ok(text.trim().to_owned()),
            Err(why) => why,
        };
        Err(Wrong::new(format!("{} is no mail address: {why}", quote(&text)))
            .hint("write it as \"me@example.org\" or \"My Name <me@example.org>\""))
    }
);

value!(
    /// A time zone by its IANA name.
    Zone(String), "string", |value| {
        let text = text(value)?;
        let zone = if text.len() > 100 { None } else { jiff::tz::TimeZone::get(&text).ok() };
        zone.and_then(|zone| zone.iana_name().map(str::to_owned)).ok_or_else(|| {
            Wrong::new(format!("{} is no time zone that this machine knows", quote(&text)))
                .hint("a name such as \"Europe/Berlin\" or \"UTC\"")
        })
    }
);

value!(
    /// A program: true for the usual one, or its path.
    Program(Option<String>), ["boolean", "string"],
    |value| match value {
        Value::Boolean(true) => Ok(None),
        Value::Boolean(false) => Err(Wrong::new("false says nothing here").hint("leave the line out")),
        other => text(other).map(Some),
    }
);

value!(
    /// A way for a report beside its account.
    WayText(Way), "string", |value| match text(value)?.as_str() {
        "webhook" => Ok(Way::Webhook),
        Way::IMAP_APPEND => Ok(Way::ImapAppend),
        name => Ok(Way::Account(name.to_owned())),
    }
);

pub(super) fn text(value: Value) -> Result<String, Wrong> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Wrong::new("a string is wanted here")),
    }
}

pub(super) fn whole(value: Value, what: &str) -> Result<u64, Wrong> {
    match value {
        Value::Integer(value) => {
            u64::try_from(value).map_err(|_| Wrong::new(format!("{what} cannot be negative")))
        }
        _ => Err(Wrong::new(format!("{what} is wanted here"))),
    }
}

/// `25%`, `50`, `25% or 50`.
fn delete_limit(text: &str) -> Result<MaxDelete, Wrong> {
    let wrong = || {
        Wrong::new(format!("{} is no limit of deletions", quote(text))).hint(
            "write a share (\"25%\"), a number of entries (50), or both (\"25% or 50\"); false for no limit",
        )
    };
    let percent = |text: &str| {
        let number = text.trim().strip_suffix('%')?.trim_end();
        number.parse::<u8>().ok().filter(|percent| *percent <= 100 && !number.starts_with('+'))
    };
    let entries = |text: &str| {
        let number = text.trim();
        number.parse::<u64>().ok().filter(|_| !number.starts_with('+'))
    };
    match text.split_once(" or ") {
        Some((share, number)) => {
            let (share, number) = (percent(share).ok_or_else(wrong)?, entries(number).ok_or_else(wrong)?);
            Ok(MaxDelete { percent: share, entries: number })
        }
        None => match (percent(text), entries(text)) {
            (Some(share), _) => Ok(MaxDelete { percent: share, ..MaxDelete::default() }),
            (None, Some(number)) => Ok(MaxDelete { percent: 0, entries: number }),
            (None, None) => Err(wrong()),
        },
    }
}

/// The longest pattern in bytes: that of a path on Linux.
const MOST_PATTERN: usize = 4096;

fn pattern(text: String) -> Result<String, Wrong> {
    check_pattern(&text).map(|()| text)
}

/// Refuses a pattern of `.gitignore`'s kind that would silently match nothing, wherever it was written.
///
/// # Errors
/// It is empty, a comment, has several lines, is longer than any path, or leaves a bracket open.
pub fn check_pattern(text: &str) -> Result<(), Wrong> {
    let wrong = |why: &str| Wrong::new(format!("the pattern {} {why}", quote(text)));
    if text.trim().is_empty() {
        return Err(wrong("is empty, so it matches nothing"));
    }
    if text.contains(['\n', '\r']) {
        return Err(wrong("has several lines").hint("write a list, one pattern each: [\"*.tmp\", \"*.bak\"]"));
    }
    if text.starts_with('#') {
        return Err(wrong("is a comment by the rules of gitignore")
            .hint("put a backslash before the #: '\\#' in single quotes"));
    }
    if text.len() > MOST_PATTERN {
        return Err(wrong("is longer than any path"));
    }
    // An open bracket would be taken for itself there, which nobody means.
    let mut builder = ignore::gitignore::GitignoreBuilder::new("");
    match builder.allow_unclosed_class(false).add_line(None, text) {
        Ok(_) => Ok(()),
        Err(ignore::Error::Glob { err, .. }) => {
            Err(wrong(&format!("cannot be read: {}", crate::entry::show(err.as_bytes()))))
        }
        Err(_) => Err(wrong("cannot be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_deletions() {
        for (text, percent, entries) in
            [("25%", 25, 50), ("40 %", 40, 50), ("50", 0, 50), ("25% or 50", 25, 50), ("0% or 10", 0, 10)]
        {
            assert_eq!(delete_limit(text), Ok(MaxDelete { percent, entries }), "{text}");
        }
        for text in ["", "%", "101%", "-1", "+1", "2.5%", "50 or 25%", "25% and 50", "10 or"] {
            assert!(delete_limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn patterns_that_would_silently_do_nothing_are_refused() {
        for bad in ["", "  ", "#x", "a\nb", "[", "{a", "a**b["] {
            assert!(pattern(bad.into()).is_err(), "{bad:?}");
        }
        for good in ["*.tmp", "!keep", "/build/", "~$*", "**/x", "\\#x", "[ab]?"] {
            assert_eq!(pattern(good.into()).as_deref(), Ok(good));
        }
    }
}
