//! What differs between two snapshots, or two folders in them.

use std::cmp::Ordering;

use rustic_core::repofile::Node;

use super::indexed::Indexed;
use super::node;
use super::tree::{self, Step};
use crate::entry::{Name, RelPath};
use crate::error::Error;

/// How an entry differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Its content is another.
    Modified,
    /// Only mode, owner, times or attributes are others.
    Metadata,
    /// It is something else: a folder that was a file.
    Type,
}

impl Change {
    /// The sign in lists, as restic's.
    pub fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Modified => 'M',
            Self::Metadata => 'U',
            Self::Type => 'T',
        }
    }
}

/// One difference.
#[derive(Debug)]
pub enum Line<'a> {
    /// An entry that differs, and its node: the second's, where there is one.
    Differs(Change, &'a RelPath, &'a Node),
    /// A folder that cannot be compared, and why.
    Broken(&'a RelPath, &'a Error),
}

/// Compares two folders entry by entry; what is the same in both as a whole is not looked into.
///
/// # Errors
/// Those of `say`.
pub fn diff<E>(
    vault: &Indexed<'_>,
    first: &Node,
    second: &Node,
    say: &mut dyn FnMut(Line<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut waiting = vec![(RelPath::root(), first.clone(), second.clone())];
    while let Some((path, first, second)) = waiting.pop() {
        if first.subtree == second.subtree {
            continue;
        }
        let mut both = Vec::new();
        for node in [&first, &second] {
            match tree::list(vault, node) {
                Ok((entries, nameless)) => {
                    both.push(entries);
                    nameless.map_or(Ok(()), |why| say(Line::Broken(&path, &why)))?;
                }
                Err(why) => say(Line::Broken(&path, &why))?,
            }
        }
        let (Some(second), Some(first)) = (both.pop(), both.pop()) else { continue };
        let mut deeper = Vec::new();
        for pair in joined(first, second) {
            match pair {
                (name, Some(old), None) => whole(vault, Change::Removed, &path.join(&name), &old, say)?,
                (name, None, Some(new)) => whole(vault, Change::Added, &path.join(&name), &new, say)?,
                (name, Some(old), Some(new)) => {
                    let path = path.join(&name);
                    if let Some(change) = compare(&old, &new) {
                        say(Line::Differs(change, &path, &new))?;
                    }
                    match (old.is_dir(), new.is_dir()) {
                        (true, true) => deeper.push((path, old, new)),
                        (true, false) => inside(vault, Change::Removed, &path, &old, say)?,
                        (false, true) => inside(vault, Change::Added, &path, &new, say)?,
                        (false, false) => {}
                    }
                }
                (_, None, None) => {}
            }
        }
        // The last one in is the next one out: names stay in order.
        waiting.extend(deeper.into_iter().rev());
    }
    Ok(())
}

/// An entry and all that is in it.
fn whole<E>(
    vault: &Indexed<'_>,
    change: Change,
    path: &RelPath,
    node: &Node,
    say: &mut dyn FnMut(Line<'_>) -> Result<(), E>,
) -> Result<(), E> {
    say(Line::Differs(change, path, node))?;
    inside(vault, change, path, node, say)
}

fn inside<E>(
    vault: &Indexed<'_>,
    change: Change,
    path: &RelPath,
    node: &Node,
    say: &mut dyn FnMut(Line<'_>) -> Result<(), E>,
) -> Result<(), E> {
    if !node.is_dir() {
        return Ok(());
    }
    tree::walk(vault, path, node, &mut |step| {
        match step {
            Step::Entry(path, node) => say(Line::Differs(change, path, node))?,
            Step::Broken(path, why) => say(Line::Broken(path, why))?,
            Step::End(..) => {}
        }
        Ok(true)
    })
}

/// How two entries of one name differ.
fn compare(old: &Node, new: &Node) -> Option<Change> {
    if node::kind(old) != node::kind(new) {
        return Some(Change::Type);
    }
    if old.content.as_deref().unwrap_or_default() != new.content.as_deref().unwrap_or_default()
        || old.node_type != new.node_type
    {
        return Some(Change::Modified);
    }
    let meta = |node: &Node| {
        let meta = &node.meta;
        let mut attributes = node::attributes(meta);
        attributes.sort();
        (node::mode(meta), meta.uid, meta.gid, node::mtime(meta), attributes)
    };
    (meta(old) != meta(new)).then_some(Change::Metadata)
}

type Pair<T> = (Name, Option<T>, Option<T>);

/// Two sorted lists side by side.
fn joined<T>(first: Vec<(Name, T)>, second: Vec<(Name, T)>) -> Vec<Pair<T>> {
    let (mut first, mut second) = (first.into_iter().peekable(), second.into_iter().peekable());
    let mut pairs = Vec::new();
    loop {
        let order = match (first.peek(), second.peek()) {
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return pairs,
        };
        let old = if order.is_le() { first.next() } else { None };
        let new = if order.is_ge() { second.next() } else { None };
        let name = old.as_ref().or(new.as_ref()).map(|(name, _)| name.clone());
        if let Some(name) = name {
            pairs.push((name, old.map(|(_, of)| of), new.map(|(_, of)| of)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustic_core::repofile::Metadata;

    #[test]
    fn lists_are_joined_by_name() {
        let list = |text: &str| -> Vec<_> {
            text.bytes().map(|b| (Name::new(&[b]).unwrap(), b.to_ascii_uppercase())).collect()
        };
        let cases = [("", "", ""), ("ab", "", "A- B-"), ("", "a", "-A"), ("ace", "bcd", "A- -B CC -D E-")];
        for (first, second, expected) in cases {
            let show = |side: Option<u8>| side.map_or('-', char::from);
            let pairs = joined(list(first), list(second)).into_iter();
            let pairs: Vec<_> = pairs.map(|(_, a, b)| format!("{}{}", show(a), show(b))).collect();
            assert_eq!(pairs.join(" "), expected, "{first} {second}");
        }
    }

    #[test]
    fn content_counts_before_metadata() {
        let plain = Node { name: "x".into(), content: Some(Vec::new()), ..Node::default() };
        let other = Node { content: Some(vec!["ab".repeat(32).parse().unwrap()]), ..plain.clone() };
        let mode = Node { meta: Metadata { mode: Some(0o600), ..Metadata::default() }, ..plain.clone() };
        let inode = Node { meta: Metadata { inode: 5, ..Metadata::default() }, ..plain.clone() };
        let none = Node { content: None, ..plain.clone() };
        let folder = tree::root("00".repeat(32).parse().unwrap());
        for (new, change) in [
            (&plain, None),
            (&other, Some(Change::Modified)),
            (&mode, Some(Change::Metadata)),
            (&inode, None),
            (&none, None),
            (&folder, Some(Change::Type)),
        ] {
            assert_eq!(compare(&plain, new), change, "{new:?}");
        }
    }
}
