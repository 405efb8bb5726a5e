//! What a file may hold: the JSON Schema for editors, and the same as a [`Shape`] for our own reading.
//!
//! Both are made from the types in [`super::file`], so that keys, types and words are written down once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::file::{MainFile, ProfileFile};

/// Keys of a profile file that make no sense as a default for all: one is about files, one has its own table.
const NOT_DEFAULTS: [&str; 2] = ["inherit", "report"];

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// `postkeep.toml`.
    Main,
    /// A file in `profiles/`.
    Profile,
}

/// The JSON Schema of a file.
pub fn schema(kind: FileKind) -> Value {
    let generator = SchemaSettings::draft07().with(|s| s.inline_subschemas = true).into_generator();
    let mut schema = match kind {
        FileKind::Main => generator.into_root_schema_for::<MainFile>(),
        FileKind::Profile => generator.into_root_schema_for::<ProfileFile>(),
    }
    .to_value();
    tidy(&mut schema);
    // A digest is about all profiles.
    if kind == FileKind::Profile
        && let Some(Value::Object(keys)) = schema.pointer_mut("/properties/report/properties")
    {
        keys.remove("digest");
    }
    if kind == FileKind::Main
        && let Some(Value::Object(keys)) = schema.pointer_mut("/properties/defaults/properties")
    {
        keys.retain(|key, _| !NOT_DEFAULTS.contains(&key.as_str()));
    }
    schema
}

/// Takes out what an optional field brings into a schema: TOML has no null, and no key has a default in the file.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.remove("default");
            drop_null(map);
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn drop_null(map: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".into(), only);
        }
    }
    let Some(Value::Array(choices)) = map.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
    if let [Value::Object(only)] = choices.as_mut_slice() {
        let only = std::mem::take(only);
        map.remove("anyOf");
        for (key, value) in only {
            // The field's own description says more than that of its type.
            map.entry(key).or_insert(value);
        }
    }
}

/// What may stand at one place of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape {
    /// JSON's names of the types that it may have.
    pub types: Vec<String>,
    /// The strings that it may be; empty: any.
    pub words: Vec<String>,
    /// A table's keys.
    pub keys: BTreeMap<String, Shape>,
    /// What a table's other keys hold; none: there are no others.
    pub any_key: Option<Box<Shape>>,
    /// Keys that the table must have.
    pub required: Vec<String>,
    /// What a list's items are.
    pub items: Option<Box<Shape>>,
    /// The description, for people.
    pub description: String,
}

/// The shape of a file.
pub fn shape(kind: FileKind) -> &'static Shape {
    static MAIN: LazyLock<Shape> = LazyLock::new(|| Shape::of(&schema(FileKind::Main)));
    static PROFILE: LazyLock<Shape> = LazyLock::new(|| Shape::of(&schema(FileKind::Profile)));
    match kind {
        FileKind::Main => &MAIN,
        FileKind::Profile => &PROFILE,
    }
}

impl Shape {
    fn of(schema: &Value) -> Self {
        let mut shape = Self::default();
        shape.take(schema);
        shape
    }

    /// Adds what `schema` allows. Choices are simply added up: none of our values has two kinds of tables or lists.
    fn take(&mut self, schema: &Value) {
        let texts = |value: &Value| -> Vec<String> {
            let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let Value::Object(map) = schema else { return };
        for (word, value) in map {
            match word.as_str() {
                "type" => self.types.extend(texts(value)),
                "enum" | "const" => self.words.extend(texts(value)),
                "required" => self.required = texts(value),
                "description" => self.description = texts(value).concat(),
                "items" => self.items = Some(Box::new(Self::of(value))),
                "anyOf" | "oneOf" => value.as_array().into_iter().flatten().for_each(|one| {
                    // A choice's own description is about the choice.
                    let description = self.description.clone();
                    self.take(one);
                    self.description = description;
                }),
                "properties" => {
                    let keys = value.as_object().into_iter().flatten();
                    self.keys.extend(keys.map(|(key, value)| (key.clone(), Self::of(value))));
                }
                "additionalProperties" if value.is_object() => {
                    self.any_key = Some(Box::new(Self::of(value)));
                }
                _ => {}
            }
        }
        self.types.sort();
        self.types.dedup();
    }

    /// Whether this is a table and nothing else.
    pub fn is_table(&self) -> bool {
        self.types == ["object"]
    }

    /// For tests: the keys with their tables before them (`report.to`), tables themselves left out, `NAME` for a free name.
    #[cfg(test)]
    pub fn paths(&self) -> Vec<String> {
        let named = self.keys.iter().map(|(key, shape)| (key.as_str(), shape));
        let free = self.any_key.as_deref().map(|shape| ("NAME", shape));
        let mut paths = Vec::new();
        for (key, shape) in named.chain(free) {
            if shape.is_table() {
                paths.extend(shape.paths().into_iter().map(|below| format!("{key}.{below}")));
            } else {
                paths.push(key.to_owned());
            }
        }
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_knows_types_words_and_tables() {
        let shape = shape(FileKind::Profile);
        assert_eq!(shape.keys["mode"].words, ["copy", "mirror"]);
        assert_eq!(shape.keys["mode"].types, ["string"]);
        assert_eq!(shape.keys["exclude"].types, ["array", "string"]);
        assert_eq!(shape.keys["exclude-larger-than"].types, ["integer", "string"]);
        assert_eq!(shape.keys["flush"].types, ["boolean"]);
        let report = &shape.keys["report"];
        assert!(report.is_table() && report.any_key.is_none());
        assert_eq!(report.keys["on"].items.as_ref().map(|items| items.words.len()), Some(6));
        assert!(shape.keys["source"].description.starts_with("The folder that is copied from;"));
        assert!(shape.paths().contains(&"report.attach-log-max".into()));
    }

    #[test]
    fn a_default_may_be_any_key_that_can_be_shared() {
        let main = shape(FileKind::Main);
        let defaults: Vec<_> = main.keys["defaults"].keys.keys().cloned().collect();
        let mut profile: Vec<_> = shape(FileKind::Profile).keys.keys().cloned().collect();
        profile.retain(|key| !NOT_DEFAULTS.contains(&key.as_str()));
        assert_eq!(defaults, profile);
        let account = main.keys["accounts"].any_key.as_ref().unwrap();
        assert!(["imap", "smtp", "pop3"].iter().all(|side| account.keys[*side].is_table()));
        assert!(account.keys["preset"].words.len() == 5);
    }

    #[test]
    fn the_schema_closes_every_table_and_knows_no_null() {
        for kind in [FileKind::Main, FileKind::Profile] {
            let schema = schema(kind);
            assert_eq!(schema["additionalProperties"], false);
            assert_eq!(schema.pointer("/properties/report/additionalProperties"), Some(&Value::Bool(false)));
            assert!(!schema.to_string().contains("null"));
            assert!(!schema.to_string().contains("$ref"));
        }
    }
}
