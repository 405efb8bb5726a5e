//! One file's text, checked key by key: what is sound is kept, everything else becomes a problem.
//!
//! Serde stops at the first error. To find all of them, each key's value is tried alone, as if it were the only one
//! in the file; the [`Shape`] says which keys there are and which types and words they take.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

use super::problem::{Collector, Place, Problem};
use super::schema::{FileKind, Shape, shape};
use super::wrong::{Wrong, nearest, quote};

/// A key with the tables before it: `["report", "to"]`.
pub(super) type KeyPath = Vec<String>;

/// A value of a file.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    /// The value; none: it is there but wrong, and a problem says so.
    pub value: Option<Value>,
    /// Where the value is.
    pub place: Place,
    /// The value's parts, if it is a string or a list of strings.
    pub parts: Vec<(String, Place)>,
}

/// A file, read.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// Its values.
    pub leaves: BTreeMap<KeyPath, Leaf>,
    /// Its tables, empty ones too.
    pub tables: BTreeMap<KeyPath, Place>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Whether it is so broken that a value that is not here may still be in the file.
    pub unreadable: bool,
}

impl Sheet {
    /// A table of the file as `T`; None if it has a value that is wrong.
    pub(super) fn table<T: DeserializeOwned>(&self, name: &[&str]) -> Option<T> {
        let mut table = toml::Table::new();
        for (path, leaf) in &self.leaves {
            if path.len() <= name.len() || !path.iter().zip(name).all(|(a, b)| a == b) {
                continue;
            }
            if !put(&mut table, &path[name.len()..], leaf.value.clone()?) {
                return None;
            }
        }
        T::deserialize(Value::Table(table)).ok()
    }
}

fn put(table: &mut toml::Table, path: &[String], value: Value) -> bool {
    match path {
        [key] => table.insert(key.clone(), value).is_none(),
        [key, rest @ ..] => {
            let below = table.entry(key.clone()).or_insert_with(|| Value::Table(toml::Table::new()));
            below.as_table_mut().is_some_and(|below| put(below, rest, value))
        }
        [] => false,
    }
}

/// What a value means beyond its form: called with the key's path and each string of it.
pub(super) type Meaning<'a> = &'a dyn Fn(&[String], &str) -> Result<(), Wrong>;

/// Reads `bytes` as the file `file` (below the configuration's folder) of the given kind; `T` is its type.
pub(super) fn read<T: DeserializeOwned>(
    file: &Path,
    bytes: &[u8],
    kind: FileKind,
    meaning: Meaning,
) -> Sheet {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let (sound, _) = bytes.split_at(error.valid_up_to());
            let sound = String::from_utf8_lossy(sound);
            let mut problems = Collector::new(file, &sound);
            let wrong = Wrong::new("the file is not UTF-8 from here on").hint("save it as UTF-8");
            problems.add(sound.len()..sound.len(), wrong);
            return Sheet { problems: problems.into_problems(), unreadable: true, ..Sheet::default() };
        }
    };
    // Some editors begin a file with a mark that is no character of it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader::<T> {
        problems: Collector::new(file, text),
        kind,
        meaning,
        broken_lines: BTreeSet::new(),
        leaves: BTreeMap::new(),
        tables: BTreeMap::new(),
        file_type: std::marker::PhantomData,
    };
    let unreadable = !errors.is_empty();
    for error in errors {
        let span = error.span().unwrap_or_default();
        let message: String = error.message().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        reader.broken_lines.insert(reader.problems.text().line(span.start));
        reader.problems.add(span, Wrong::new(format!("not valid TOML: {message}")));
    }
    reader.table(table.get_ref(), table.span(), shape(kind), &mut Vec::new());
    let Reader { problems, leaves, tables, .. } = reader;
    Sheet { leaves, tables, problems: problems.into_problems(), unreadable }
}

/// What is wrong with the bytes of a range.
type At = (Range<usize>, Wrong);

struct Reader<'a, T> {
    problems: Collector<'a>,
    kind: FileKind,
    meaning: Meaning<'a>,
    /// Lines with an error of syntax: what was made of the rest of such a line is nothing to complain about.
    broken_lines: BTreeSet<usize>,
    leaves: BTreeMap<KeyPath, Leaf>,
    tables: BTreeMap<KeyPath, Place>,
    file_type: std::marker::PhantomData<T>,
}

impl<T: DeserializeOwned> Reader<'_, T> {
    fn add(&mut self, span: Range<usize>, wrong: Wrong) {
        if !self.broken_lines.contains(&self.problems.text().line(span.start)) {
            self.problems.add(span, wrong);
        }
    }

    fn table(&mut self, table: &DeTable, span: Range<usize>, shape: &Shape, path: &mut KeyPath) {
        self.tables.insert(path.clone(), self.problems.text().place(span.clone()));
        for key in shape.required.iter().filter(|key| !table.contains_key(key.as_str())) {
            let wrong = Wrong::new(format!("{} has no {}", table_name(path), quote(key)));
            self.add(span.clone(), wrong.hint(shape.keys[key].description.clone()));
            let leaf =
                Leaf { value: None, place: self.problems.text().place(span.clone()), parts: Vec::new() };
            self.leaves.insert(path.iter().chain([key]).cloned().collect(), leaf);
        }
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let Some(below) = shape.keys.get(name).or(shape.any_key.as_deref()) else {
                self.unknown(name, key.span(), shape, path);
                continue;
            };
            path.push(name.to_owned());
            if let (true, DeValue::Table(table)) = (below.is_table(), value.get_ref()) {
                self.table(table, value.span(), below, path);
            } else {
                let leaf = self.leaf(value, below, path);
                self.leaves.insert(path.clone(), leaf);
            }
            path.pop();
        }
    }

    fn leaf(&mut self, value: &Spanned<DeValue>, shape: &Shape, path: &[String]) -> Leaf {
        let mut wrongs = Vec::new();
        let name = path.last().map_or("", String::as_str);
        form(value, shape, &quote(name), &mut wrongs);
        wrongs.extend(self.unread(value, path, &wrongs));
        let parts = strings(value);
        if wrongs.is_empty() {
            let meant = parts.iter().map(|(text, span)| (span.clone(), (self.meaning)(path, text)));
            wrongs.extend(meant.filter_map(|(span, result)| result.err().map(|wrong| (span, wrong))));
        }
        let sound = plain(value).ok().filter(|_| wrongs.is_empty());
        for (span, wrong) in wrongs {
            self.add(span, wrong);
        }
        // Only of `inherit` the places of the parts are needed; ten thousand patterns need none.
        let places = name == "inherit" && sound.is_some();
        let place = |span| self.problems.text().place(span);
        let parts = parts.into_iter().filter(|_| places);
        let parts = parts.map(|(text, span)| (text.to_owned(), place(span))).collect();
        Leaf { value: sound, place: place(value.span()), parts }
    }

    /// What serde says about the value, item by item where it is a list, beyond what is `known` to be wrong.
    fn unread(&self, value: &Spanned<DeValue>, path: &[String], known: &[At]) -> Vec<At> {
        let try_one = |value: Result<Value, Wrong>, span: Range<usize>| {
            let wrong = match value {
                Ok(value) => Wrong::from_text(T::deserialize(nest(path, value)).err()?.message()),
                Err(wrong) => wrong,
            };
            Some((span, wrong))
        };
        let Some(whole) = try_one(plain(value), value.span()) else { return Vec::new() };
        let items = value.get_ref().as_array().into_iter().flatten();
        let told: BTreeSet<usize> = known.iter().map(|(span, _)| span.start).collect();
        let items = items.filter(|item| !told.contains(&item.span().start));
        let alone =
            items.filter_map(|item| try_one(plain(item).map(|item| Value::Array(vec![item])), item.span()));
        let alone: Vec<_> = alone.collect();
        if alone.is_empty() && known.is_empty() { vec![whole] } else { alone }
    }

    fn unknown(&mut self, name: &str, span: Range<usize>, shape: &Shape, path: &[String]) {
        let place = if path.is_empty() { String::new() } else { format!(" in {}", table_name(path)) };
        let wrong = Wrong::new(format!("unknown key {}{place}", quote(name)));
        if is_secret(name) {
            let mut place = self.problems.text().place(span);
            // What stands behind the key is not shown: this text may end up in a mail or in a log.
            place.source_line = format!("{name} = ***");
            (place.caret, place.width) = (0, name.chars().count());
            let hint = "a secret does not stand in this file: use password-command or password-file";
            self.problems.add_at(place, wrong.hint(hint));
            return;
        }
        let (wrong, meant) = match suggestion(name, self.kind, shape) {
            Suggestion::Here(key) => (wrong.hint(format!("did you mean \"{key}\"?")), Some(key)),
            Suggestion::Elsewhere(hint) => (wrong.hint(hint), None),
        };
        // Who mistyped a key has not forgotten it: one problem is enough.
        if let Some(meant) = meant {
            let place = self.problems.text().place(span.clone());
            let key = path.iter().cloned().chain([meant]).collect();
            self.leaves.entry(key).or_insert(Leaf { value: None, place, parts: Vec::new() });
        }
        self.add(span, wrong);
    }
}

/// Whether a key that nobody knows was written by somebody who put a secret behind it.
fn is_secret(name: &str) -> bool {
    ["password", "passwd", "pass", "secret", "token", "access-token"]
        .contains(&name.to_ascii_lowercase().as_str())
}

enum Suggestion {
    /// A key of the same table.
    Here(String),
    /// A hint about another place.
    Elsewhere(String),
}

/// What an unknown key may have been meant to be: first what bears the very name elsewhere, then what is near.
fn suggestion(name: &str, kind: FileKind, here: &Shape) -> Suggestion {
    let (other, other_name) = match kind {
        FileKind::Main => (FileKind::Profile, "a profile file, profiles/NAME.toml"),
        FileKind::Profile => (FileKind::Main, "postkeep.toml"),
    };
    let tables = tables(shape(kind), String::new());
    let belongs = |key: &str, table: &str| match table {
        "" => format!("{} belongs at the top of the file, before the first [table]", quote(key)),
        table => format!("{} belongs in the table [{table}]", quote(key)),
    };
    if let Some((table, _)) = tables.iter().find(|(_, shape)| shape.keys.contains_key(name)) {
        return Suggestion::Elsewhere(belongs(name, table));
    }
    if shape(other).keys.contains_key(name) {
        return Suggestion::Elsewhere(format!("{} belongs in {other_name}", quote(name)));
    }
    if let Some(key) = nearest(name, here.keys.keys().map(String::as_str)) {
        return Suggestion::Here(key.to_owned());
    }
    for (table, shape) in &tables {
        if let Some(key) = nearest(name, shape.keys.keys().map(String::as_str)) {
            return Suggestion::Elsewhere(format!("did you mean \"{key}\"? {}", belongs(key, table)));
        }
    }
    let flag = if kind == FileKind::Main { " --main" } else { "" };
    Suggestion::Elsewhere(format!("`postkeep config schema{flag}` lists the keys of this version"))
}

/// All tables of a file, with their names.
fn tables(shape: &Shape, name: String) -> Vec<(String, &Shape)> {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    let named = shape.keys.iter().map(|(key, shape)| (below(key), shape));
    let free = shape.any_key.as_deref().map(|shape| (below("NAME"), shape));
    let inner: Vec<_> = named.chain(free).filter(|(_, shape)| shape.is_table()).collect();
    let inner = inner.into_iter().flat_map(|(name, shape)| tables(shape, name));
    std::iter::once((name.clone(), shape)).chain(inner).collect()
}

/// Checks type and words, of each item too.
fn form(value: &Spanned<DeValue>, shape: &Shape, name: &str, wrongs: &mut Vec<At>) {
    let (found, found_name) = type_names(value.get_ref());
    if !shape.types.iter().any(|kind| kind == found) {
        let wanted: Vec<_> = shape.types.iter().rev().map(|kind| wanted_name(kind)).collect();
        let wrong = Wrong::new(format!("{name} must be {}, not {found_name}", wanted.join(" or ")));
        let takes = |kind: &str| shape.types.iter().any(|known| known == kind);
        wrongs.push((
            value.span(),
            match found {
                "string" if takes("boolean") => wrong.hint("write true or false, without quotes"),
                "string" if takes("object") => {
                    wrong.hint(format!("write a table: [{}]", name.trim_matches('"')))
                }
                "integer" | "number" | "boolean" | "datetime" if takes("string") => {
                    wrong.hint("put the value in quotes")
                }
                _ => wrong,
            },
        ));
        return;
    }
    match value.get_ref() {
        DeValue::String(text) if !shape.words.is_empty() && !shape.words.iter().any(|word| word == text) => {
            let all: Vec<_> = shape.words.iter().map(|word| quote(word)).collect();
            let choice = match all.as_slice() {
                [only] => format!("this version knows only {only}"),
                all => format!("one of {}", all.join(", ")),
            };
            let hint = match nearest(text, shape.words.iter().map(String::as_str)) {
                Some(word) => format!("did you mean \"{word}\"? ({choice})"),
                None => choice,
            };
            wrongs.push((value.span(), Wrong::new(format!("{name} cannot be {}", quote(text))).hint(hint)));
        }
        DeValue::Array(items) => {
            if let Some(shape) = shape.items.as_deref() {
                let name = format!("an item of {name}");
                items.iter().for_each(|item| form(item, shape, &name, wrongs));
            }
        }
        _ => {}
    }
}

/// JSON's name of the type, and the words for people.
fn type_names(value: &DeValue) -> (&'static str, &'static str) {
    match value {
        DeValue::String(_) => ("string", "a string"),
        DeValue::Integer(_) => ("integer", "a whole number"),
        DeValue::Float(_) => ("number", "a number with a fraction"),
        DeValue::Boolean(_) => ("boolean", "true or false"),
        DeValue::Datetime(_) => ("datetime", "a date or time"),
        DeValue::Array(_) => ("array", "a list"),
        DeValue::Table(_) => ("object", "a table"),
    }
}

fn wanted_name(kind: &str) -> &str {
    match kind {
        "string" => "a string",
        "integer" => "a whole number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        other => other,
    }
}

fn table_name(path: &[String]) -> String {
    // A free name (an account's) may hold anything.
    format!(
        "the table [{}]",
        crate::entry::show(path.join(".").chars().take(60).collect::<String>().as_bytes())
    )
}

/// The value without its places. Its form was checked: there are no tables and dates in it.
fn plain(value: &Spanned<DeValue>) -> Result<Value, Wrong> {
    Ok(match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(Value::Integer)
            .map_err(|_| Wrong::new("the number is too large"))?,
        DeValue::Array(items) => Value::Array(items.iter().map(plain).collect::<Result<_, _>>()?),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => {
            return Err(Wrong::new("such a value has no place here"));
        }
    })
}

/// A file that holds nothing but `value` at `path`.
pub(super) fn nest(path: &[String], value: Value) -> Value {
    path.iter().rev().fold(value, |value, key| Value::Table([(key.clone(), value)].into_iter().collect()))
}

fn strings<'a>(value: &'a Spanned<DeValue>) -> Vec<(&'a str, Range<usize>)> {
    match value.get_ref() {
        DeValue::String(text) => vec![(text, value.span())],
        DeValue::Array(items) => items.iter().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}
