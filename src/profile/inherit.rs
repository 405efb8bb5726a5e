//! Whose value counts: a file's own, else what it inherits, else the defaults of the main file.
//!
//! Files are put together parents first, each once, so that neither a long chain nor one with many ways to the same
//! template costs more than its files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::Value;

use super::kind::ALTERNATIVES;
use super::problem::{Place, Problem, file_as_text};
use super::read::{KeyPath, Sheet};
use super::wrong::{Wrong, nearest, quote};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Origin {
    /// The file, below the configuration's folder.
    #[serde(serialize_with = "file_as_text")]
    pub file: PathBuf,
    /// The place in it.
    #[serde(flatten)]
    pub place: Place,
    /// How it got from there to the profile.
    #[serde(flatten)]
    pub how: How,
}

/// How a value got to a profile.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum How {
    /// Written in the profile's own file.
    Own,
    /// From another profile file.
    Inherited {
        /// That file's stem.
        from: String,
    },
    /// From this table of the main file.
    Default {
        /// `defaults` or `report`.
        table: String,
    },
}

/// Origins by key (`report.to`). A key that is not in it has its built-in value.
pub type Origins = BTreeMap<String, Origin>;

/// All values that a profile ends up with. A value that is none was written but is wrong.
pub(super) type Merged = BTreeMap<KeyPath, (Option<Value>, Origin)>;

/// A profile file or template, before and after it is put together.
pub(super) struct Family {
    /// Their stems, sorted.
    names: Vec<String>,
    /// For each, whom it inherits from.
    parents: Vec<Vec<usize>>,
    /// For each, who inherits from it.
    children: Vec<Vec<usize>>,
    /// For each, its values; none where a circle keeps them unknown.
    merged: Vec<Option<Merged>>,
    /// For each, whether values may be missing that are written somewhere.
    unreadable: Vec<bool>,
    /// What is wrong with `inherit`.
    pub problems: Vec<Problem>,
}

/// Some things can be said in several ways, of which one counts: who says one of them takes back the others that stand
/// below.
pub(super) fn one_way(below: &mut Merged, says: impl Fn(&[String]) -> bool) {
    for ways in ALTERNATIVES {
        let ways: Vec<_> = ways.iter().map(|key| [(*key).to_owned()]).collect();
        if ways.iter().any(|way| says(way)) {
            ways.iter().filter(|way| !says(*way)).for_each(|way| drop(below.remove(way.as_slice())));
        }
    }
}

/// The values of the main file's `[report]` and `[defaults]`.
pub(super) fn defaults(main: &Sheet, file: &Path) -> Merged {
    let leaves = main.leaves.iter().filter_map(|(path, leaf)| {
        let (table, key) = path.split_first()?;
        let path = match table.as_str() {
            "defaults" => key.to_vec(),
            "report" => path.clone(),
            _ => return None,
        };
        let how = How::Default { table: table.clone() };
        let origin = Origin { file: file.into(), place: leaf.place.clone(), how };
        Some((path, (leaf.value.clone(), origin)))
    });
    leaves.collect()
}

impl Family {
    /// Puts all files together. `files` are the sheets by stem with their paths.
    pub(super) fn new(files: &BTreeMap<String, (PathBuf, Sheet)>) -> Self {
        let names: Vec<String> = files.keys().cloned().collect();
        let mut problems = Vec::new();
        let mut parents: Vec<Vec<usize>> = Vec::new();
        let mut children = vec![Vec::new(); names.len()];
        let mut unreadable = Vec::new();
        for (index, (file, sheet)) in files.values().enumerate() {
            let (found, lost) = find_parents(file, sheet, &names);
            unreadable.push(sheet.unreadable || !lost.is_empty());
            problems.extend(lost);
            found.iter().for_each(|parent| children[*parent].push(index));
            parents.push(found);
        }
        let merged = vec![None; names.len()];
        let mut family = Self { names, parents, children, merged, unreadable, problems };
        family.merge(files);
        family.circles(files);
        family
    }

    fn merge(&mut self, files: &BTreeMap<String, (PathBuf, Sheet)>) {
        let sheets: Vec<_> = files.values().collect();
        let mut waits: Vec<usize> = self.parents.iter().map(Vec::len).collect();
        let mut ready: Vec<usize> = (0..waits.len()).filter(|index| waits[*index] == 0).collect();
        while let Some(index) = ready.pop() {
            let mut merged = Merged::new();
            for parent in &self.parents[index] {
                let name = &self.names[*parent];
                if let Some(parent) = &self.merged[*parent] {
                    one_way(&mut merged, |path| parent.contains_key(path));
                }
                let inherited = self.merged[*parent].iter().flatten().map(|(path, (value, origin))| {
                    let mut origin = origin.clone();
                    if origin.how == How::Own {
                        origin.how = How::Inherited { from: name.clone() };
                    }
                    (path.clone(), (value.clone(), origin))
                });
                merged.extend(inherited);
                self.unreadable[index] |= self.unreadable[*parent];
            }
            let (file, sheet) = sheets[index];
            one_way(&mut merged, |path| sheet.leaves.contains_key(path));
            let own = sheet.leaves.iter().filter(|(path, _)| path.as_slice() != ["inherit"]);
            merged.extend(own.map(|(path, leaf)| {
                let origin = Origin { file: file.clone(), place: leaf.place.clone(), how: How::Own };
                (path.clone(), (leaf.value.clone(), origin))
            }));
            self.merged[index] = Some(merged);
            for child in &self.children[index] {
                waits[*child] -= 1;
                if waits[*child] == 0 {
                    ready.push(*child);
                }
            }
        }
    }

    /// Finds the circles among the files that could not be put together, and tells each once.
    fn circles(&mut self, files: &BTreeMap<String, (PathBuf, Sheet)>) {
        let sheets: Vec<_> = files.values().collect();
        let mut seen = BTreeSet::new();
        for start in (0..self.names.len()).filter(|index| self.merged[*index].is_none()) {
            let mut way = Vec::new();
            let mut at = start;
            // Whoever could not be put together has a parent that could not either: the way ends in a circle.
            while seen.insert(at) {
                way.push(at);
                match self.parents[at].iter().find(|parent| self.merged[**parent].is_none()) {
                    Some(parent) => at = *parent,
                    None => break,
                }
            }
            let Some(from) = way.iter().position(|index| *index == at) else { continue };
            let names = way[from..].iter().chain([&at]).map(|index| self.names[*index].as_str());
            let names = names.take(10).collect::<Vec<_>>().join(" -> ");
            let (file, sheet) = sheets[at];
            if let Some(leaf) = sheet.leaves.get(["inherit".to_owned()].as_slice()) {
                let wrong = Wrong::new(format!("profiles inherit from each other in a circle: {names}"))
                    .hint("put what they share into a file of its own, such as profiles/_base.toml");
                self.problems.push(Problem::at(file.clone(), leaf.place.clone(), wrong));
            }
        }
    }

    /// The values of the file called `name`, and whether others may be missing; none in a circle.
    pub(super) fn values(&self, name: &str) -> Option<(&Merged, bool)> {
        let index = self.names.binary_search_by(|known| known.as_str().cmp(name)).ok()?;
        Some((self.merged[index].as_ref()?, self.unreadable[index]))
    }

    /// Everyone whom a fault in the file called `name` concerns: itself and who inherits from it.
    pub(super) fn concerned(&self, name: &str) -> Vec<String> {
        let Ok(index) = self.names.binary_search_by(|known| known.as_str().cmp(name)) else {
            return vec![name.to_owned()];
        };
        let mut found = BTreeSet::from([index]);
        let mut next = vec![index];
        while let Some(index) = next.pop() {
            next.extend(self.children[index].iter().filter(|child| found.insert(**child)));
        }
        found.into_iter().map(|index| self.names[index].clone()).collect()
    }
}

/// Whom a file inherits from, each once, and what is wrong with that.
fn find_parents(file: &Path, sheet: &Sheet, names: &[String]) -> (Vec<usize>, Vec<Problem>) {
    let mut found: Vec<usize> = Vec::new();
    let mut lost = Vec::new();
    let parts = sheet.leaves.get(["inherit".to_owned()].as_slice()).map_or(&[][..], |leaf| &leaf.parts);
    for (name, place) in parts {
        match names.binary_search(name) {
            // The last one named wins, so a name that comes twice counts where it comes last.
            Ok(index) => {
                found.retain(|known| *known != index);
                found.push(index);
            }
            Err(_) => {
                let wrong = Wrong::new(format!("there is no profile file {} to inherit from", quote(name)));
                let near = nearest(name.trim_end_matches(".toml"), names.iter().map(String::as_str));
                let wrong = match near {
                    Some(near) => wrong.hint(format!("did you mean \"{near}\"?")),
                    None => wrong.hint("the name is that of a file in profiles/, without .toml"),
                };
                lost.push(Problem::at(file, place.clone(), wrong));
            }
        }
    }
    (found, lost)
}
