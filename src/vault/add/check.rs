//! Whether a tree has everything that the one before it had: looked at in what is stored, whoever stored it.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use rustic_core::repofile::Node;
use rustic_core::{RusticResult, TreeId};

use super::join::Indexed;

/// What a comparison found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// The first entry that is missing, or is a folder no more.
    pub missing: Option<PathBuf>,
    /// How many entries are new that are no folders.
    pub new: u64,
}

/// Compares the tree `after` with the one `before` it. Folders that are the same are not looked into, and of those whose
/// list of entries is lost nobody knows what was in them.
///
/// # Errors
/// A tree cannot be read.
pub(super) fn compare(repository: &Indexed, before: Option<TreeId>, after: TreeId) -> RusticResult<Compared> {
    let nodes = |tree: Option<TreeId>| match tree {
        Some(tree) => repository.get_tree(&tree).map(|tree| tree.nodes),
        None => Ok(Vec::new()),
    };
    let is_there = |tree: &TreeId| repository.get_index_entry(tree).is_ok();
    let mut compared = Compared::default();
    let mut rest = vec![(PathBuf::from("/"), before, Some(after))];
    while let Some((path, before, after)) = rest.pop() {
        // One that is lost before and after is as it was.
        let is_lost = |tree: Option<TreeId>| tree.is_some_and(|tree| !is_there(&tree));
        if before == after || is_lost(before) && is_lost(after) {
            continue;
        }
        let (before, after) = (nodes(before.filter(is_there))?, nodes(after)?);
        for (before, after) in pairs(&before, &after) {
            compared.look(&path, before, after, &mut rest);
        }
    }
    Ok(compared)
}

impl Compared {
    fn look(
        &mut self,
        path: &Path,
        before: Option<&Node>,
        after: Option<&Node>,
        rest: &mut Vec<(PathBuf, Option<TreeId>, Option<TreeId>)>,
    ) {
        match (before, after) {
            (Some(before), after) if after.is_none_or(|after| after.is_dir() != before.is_dir()) => {
                self.missing.get_or_insert_with(|| path.join(before.name()));
            }
            (before, Some(after)) if after.is_dir() => {
                rest.push((path.join(after.name()), before.and_then(|before| before.subtree), after.subtree));
            }
            (None, Some(_)) => self.new += 1,
            _ => {}
        }
    }
}

/// Joins two sorted lists by name.
fn pairs<'a>(before: &'a [Node], after: &'a [Node]) -> Vec<(Option<&'a Node>, Option<&'a Node>)> {
    let (mut one, mut two) = (before.iter().peekable(), after.iter().peekable());
    let mut pairs = Vec::with_capacity(after.len());
    loop {
        let order = match (one.peek(), two.peek()) {
            (Some(one), Some(two)) => one.name().cmp(&two.name()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return pairs,
        };
        let before = if order.is_le() { one.next() } else { None };
        let after = if order.is_ge() { two.next() } else { None };
        pairs.push((before, after));
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use rustic_core::repofile::{Metadata, NodeType};

    use super::*;

    fn look(before: &[(&str, bool)], after: &[(&str, bool)]) -> (Option<PathBuf>, u64, usize) {
        let nodes = |list: &[(&str, bool)]| {
            let node = |(name, folder): &(&str, bool)| {
                let kind = if *folder { NodeType::Dir } else { NodeType::File };
                Node::new_node(OsStr::new(name), kind, Metadata::default())
            };
            list.iter().map(node).collect::<Vec<_>>()
        };
        let (mut compared, mut rest) = (Compared::default(), Vec::new());
        for (before, after) in pairs(&nodes(before), &nodes(after)) {
            compared.look(Path::new("/x"), before, after, &mut rest);
        }
        (compared.missing, compared.new, rest.len())
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_new_counted() {
        let all = [("a", false), ("b\"", false), ("c", true)];
        let missing = |name: &str| Some(Path::new("/x").join(name));
        assert_eq!(look(&all, &all), (None, 0, 1));
        assert_eq!(look(&[], &all), (None, 2, 1));
        assert_eq!(look(&all[1..], &all), (None, 1, 1));
        assert_eq!(look(&all, &all[1..]), (missing("a"), 0, 1));
        assert_eq!(look(&all, &[]), (missing("a"), 0, 0));
        assert_eq!(look(&all, &all[..2]), (missing("c"), 0, 0));
        assert_eq!(look(&all, &[all[0], all[1], ("c", false)]), (missing("c"), 0, 0));
        assert_eq!(look(&all, &[("a", true), all[1], all[2]]), (missing("a"), 0, 1));
    }
}
