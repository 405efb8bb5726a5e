//! Several trees as one that has everything that they have.
//!
//! The library can merge trees, too. But it reads all that is in them, and ends at the first list of entries that is
//! lost: then one lost list anywhere would be the end of an archive. Here only those folders are looked into that differ.

use std::collections::BTreeMap;

use rustic_core::TreeId;
use rustic_core::repofile::{Node, Tree};

use super::join::Indexed;
use super::lists::Lists;
use crate::error::{Error, Result};
use crate::vault::Vault;

/// Which of two entries of one name counts. A folder before anything else, so that what is in it is not lost; who compares
/// the trees tells what lay in its place.
fn later(a: &Node, b: &Node) -> std::cmp::Ordering {
    (a.is_dir(), a.meta.ctime).cmp(&(b.is_dir(), b.meta.ctime))
}

/// Stores a tree that has everything that these have. Of two files in one place the later one counts, or that of the
/// later tree. A list that is lost adds nothing to another; where there is no other it stays named, for it may come back.
///
/// # Errors
/// The vault cannot be read or written. `what` begins the sentence.
pub(super) fn merge(vault: &Vault, what: &str, trees: &[TreeId]) -> Result<TreeId> {
    let repository = vault.indexed()?;
    let lists = Lists::new(vault, what, repository.config().version);
    let mut merging = Merging { vault, what, repository, lists };
    let merged = merging.trees(trees)?.ok_or_else(|| Error::other(format!("{what}: there is none")))?;
    merging.lists.finish()?;
    Ok(merged)
}

struct Merging<'a> {
    vault: &'a Vault,
    what: &'a str,
    repository: Indexed,
    lists: Lists<'a>,
}

impl Merging<'_> {
    fn trees(&mut self, trees: &[TreeId]) -> Result<Option<TreeId>> {
        let mut there: Vec<TreeId> = Vec::new();
        for tree in trees.iter().filter(|tree| self.repository.get_index_entry(*tree).is_ok()) {
            if !there.contains(tree) {
                there.push(*tree);
            }
        }
        if there.len() < 2 {
            return Ok(there.first().or(trees.last()).copied());
        }
        let mut names: BTreeMap<_, Vec<Node>> = BTreeMap::new();
        for tree in &there {
            for node in self.vault.call(self.what, || self.repository.get_tree(tree))?.nodes {
                names.entry(node.name().into_owned()).or_default().push(node);
            }
        }
        let nodes = names.into_values().filter_map(|nodes| self.nodes(nodes).transpose());
        let tree = Tree { nodes: nodes.collect::<Result<_>>()? };
        let (list, id) =
            tree.serialize().map_err(|error| Error::other(self.what).caused_by(error.to_string()))?;
        if self.repository.get_index_entry(&id).is_err() {
            self.lists.add(id, &list)?;
        }
        Ok(Some(id))
    }

    fn nodes(&mut self, nodes: Vec<Node>) -> Result<Option<Node>> {
        let folders: Vec<TreeId> =
            nodes.iter().filter(|node| node.is_dir()).filter_map(|node| node.subtree).collect();
        let Some(mut node) = nodes.into_iter().max_by(later) else { return Ok(None) };
        if node.is_dir() {
            node.subtree = self.trees(&folders)?;
        }
        Ok(Some(node))
    }
}
