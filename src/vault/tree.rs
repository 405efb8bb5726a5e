//! Looking through a snapshot: one path, a folder, everything.

use rustic_core::TreeId;
use rustic_core::repofile::{Metadata, Node, NodeType};

use super::indexed::Indexed;
use super::node;
use crate::entry::{Name, RelPath, show};
use crate::error::{Error, Kind, Result};

/// How deep a walk goes. No path of Linux has more names.
const DEEPEST: usize = 4096;

/// What is said of a folder without a list of entries.
pub(super) const UNKNOWN: &str = "the snapshot does not say what is in it";

/// A snapshot's root as a node, without metadata: that of the folders above what was saved.
pub fn root(tree: TreeId) -> Node {
    let mut node = Node::new_node(std::ffi::OsStr::new(""), NodeType::Dir, Metadata::default());
    node.subtree = Some(tree);
    node
}

/// What is at `path` in a snapshot, and where that is, cleaned of `.` and doubled slashes.
///
/// # Errors
/// Nothing is there (a usage error), or a folder on the way is damaged.
pub fn at(vault: &Indexed<'_>, tree: TreeId, path: &[u8]) -> Result<(RelPath, Node)> {
    let (mut node, mut here) = (root(tree), RelPath::root());
    for part in path.split(|b| *b == b'/').filter(|part| !matches!(*part, b"" | b".")) {
        let nowhere = || {
            Error::new(Kind::Usage, format!("the snapshot has no {}", show(path)))
                .hint("`postkeep ls PROFILE` shows what it has, `postkeep find PROFILE` looks through all snapshots")
        };
        let name = Name::new(part).ok_or_else(nowhere)?;
        let (nodes, _) =
            list(vault, &node).map_err(|why| Error::new(why.kind(), format!("/{here}: {why}")))?;
        here = here.join(&name);
        let found = nodes.into_iter().find(|(found, _)| *found == name);
        node = found.map(|(_, node)| node).ok_or_else(nowhere)?;
    }
    Ok((here, node))
}

/// A folder's entries, sorted by name, and what is wrong with the others: those with names that no file can have. What is
/// no folder has none.
///
/// # Errors
/// Why it cannot be listed, in one sentence.
pub fn list(vault: &Indexed<'_>, folder: &Node) -> Result<Listing> {
    if !folder.is_dir() {
        return Ok(Listing::default());
    }
    let Some(id) = folder.subtree else { return Err(Error::other(UNKNOWN)) };
    let nodes = vault.tree(id)?.nodes;
    let mut nameless = None;
    let mut entries = Vec::with_capacity(nodes.len());
    for node in nodes {
        match node::name(&node) {
            Some(name) => entries.push((name, node)),
            None => {
                let shown = show(node.name.as_bytes());
                nameless.get_or_insert_with(|| {
                    Error::other(format!("it holds a name that no file can have: {shown}"))
                });
            }
        }
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok((entries, nameless))
}

/// What [`list`] finds.
pub type Listing = (Vec<(Name, Node)>, Option<Error>);

/// One thing that a walk comes by.
#[derive(Debug)]
pub enum Step<'a> {
    /// An entry. For a folder the answer says whether to look into it.
    Entry(&'a RelPath, &'a Node),
    /// A folder whose entries are all told.
    End(&'a RelPath, &'a Node),
    /// A folder that cannot be listed, or not as a whole, and why.
    Broken(&'a RelPath, &'a Error),
}

/// Walks everything in a folder, in order of names, folders before what is in them.
///
/// # Errors
/// Those of `visit`.
pub fn walk<E>(
    vault: &Indexed<'_>,
    path: &RelPath,
    folder: &Node,
    visit: &mut dyn FnMut(Step<'_>) -> Result<bool, E>,
) -> Result<(), E> {
    let open = |path: &RelPath, node: &Node, visit: &mut dyn FnMut(Step<'_>) -> Result<bool, E>| {
        let entries = match list(vault, node) {
            Ok((entries, None)) => entries,
            Ok((entries, Some(why))) => {
                visit(Step::Broken(path, &why))?;
                entries
            }
            Err(why) => {
                visit(Step::Broken(path, &why))?;
                Vec::new()
            }
        };
        Ok((path.clone(), node.clone(), entries.into_iter()))
    };
    let mut levels = vec![open(path, folder, visit)?];
    while let Some((above, node, entries)) = levels.last_mut() {
        let Some((name, entry)) = entries.next() else {
            visit(Step::End(above, node))?;
            levels.pop();
            continue;
        };
        let path = above.join(&name);
        if !visit(Step::Entry(&path, &entry))? || !entry.is_dir() {
            continue;
        }
        if levels.len() >= DEEPEST {
            visit(Step::Broken(
                &path,
                &Error::other("more folders are inside each other than a path can name"),
            ))?;
            continue;
        }
        levels.push(open(&path, &entry, visit)?);
    }
    Ok(())
}
