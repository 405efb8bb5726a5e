//! Files with several names (hard links): what all names of one file together ask for. Pure.

use std::collections::{BTreeMap, HashSet};

use crate::entry::{Kind, RelPath};
use crate::replica::Seen;

/// One name of a file that has several, on either side.
#[derive(Debug, Clone)]
pub struct Member {
    /// The name's path.
    pub path: RelPath,
    /// Which file it is, in the source.
    pub file: (u64, u64),
    /// Bytes of the file.
    pub size: u64,
    /// What it is.
    pub kind: Kind,
    /// What the target has at this path.
    pub state: State,
}

/// What the target has at a member's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Absent,
    /// The same content; `mark`: with different metadata.
    Same {
        /// What is there.
        seen: Seen,
        /// Its metadata differs.
        mark: bool,
    },
    /// Something else.
    Differs(Seen),
}

impl State {
    fn seen(&self) -> Option<Seen> {
        match self {
            Self::Absent => None,
            Self::Same { seen, .. } | Self::Differs(seen) => Some(*seen),
        }
    }
}

/// What the names of one file ask for: first the leader, then the names that are to become others of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name that carries the content.
    pub leader: RelPath,
    /// Which file it is, in the source.
    pub file: (u64, u64),
    /// What to do with it.
    pub action: Action,
    /// Bytes of the file.
    pub size: u64,
    /// What it is.
    pub kind: Kind,
    /// The names to be linked to the leader, with what they replace.
    pub links: Vec<(RelPath, Option<Seen>)>,
}

/// What happens to a group's leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is as it should be.
    Keep,
    /// It gets new metadata.
    Mark,
    /// It is copied, over what it replaces.
    Put(Option<Seen>),
}

/// Groups all members by file. What is already right is not in the result.
pub fn resolve(members: Vec<Member>) -> Vec<Group> {
    let mut files: BTreeMap<(u64, u64), Vec<Member>> = BTreeMap::new();
    for member in members {
        files.entry(member.file).or_default().push(member);
    }
    let mut files: Vec<_> = files.into_values().collect();
    for names in &mut files {
        names.sort_by(|a, b| a.path.cmp(&b.path));
    }
    files.sort_by(|a, b| a[0].path.cmp(&b[0].path));
    let mut claimed = HashSet::new();
    files.iter().filter_map(|names| group(names, &mut claimed)).collect()
}

/// One file's names. `claimed`: the target's files that belong to another file of the source already: names that are
/// one there but two here must part.
fn group(names: &[Member], claimed: &mut HashSet<(u64, u64)>) -> Option<Group> {
    let right = names.iter().find_map(|member| match member.state {
        State::Same { seen, mark } if !claimed.contains(&seen.id) => Some((member, seen, mark)),
        _ => None,
    });
    let (leader, action) = match right {
        Some((member, _, false)) => (member, Action::Keep),
        Some((member, _, true)) => (member, Action::Mark),
        None => (&names[0], Action::Put(names[0].state.seen())),
    };
    let id = right.map(|(_, seen, _)| seen.id);
    claimed.extend(id);
    let links: Vec<_> = names
        .iter()
        .filter(|member| member.path != leader.path)
        .filter(|member| id.is_none() || member.state.seen().map(|seen| seen.id) != id)
        .map(|member| (member.path.clone(), member.state.seen()))
        .collect();
    (action != Action::Keep || !links.is_empty()).then(|| Group {
        leader: leader.path.clone(),
        file: leader.file,
        action,
        size: leader.size,
        kind: leader.kind,
        links,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{FileTime, Name};

    fn path(text: &str) -> RelPath {
        RelPath::root().join(&Name::new(text.as_bytes()).unwrap())
    }

    fn seen(inode: u64) -> Seen {
        Seen { kind: Kind::File, id: (1, inode), size: 3, mtime: FileTime::default() }
    }

    fn same(inode: u64) -> State {
        State::Same { seen: seen(inode), mark: false }
    }

    /// `name:file=state` for each member; gives `leader action: links`.
    fn resolved(members: &[(&str, u64, State)]) -> Vec<String> {
        let members = members.iter().map(|(name, file, state)| Member {
            path: path(name),
            file: (9, *file),
            size: 3,
            kind: Kind::File,
            state: *state,
        });
        resolve(members.collect())
            .into_iter()
            .map(|group| {
                let action = match group.action {
                    Action::Keep => "keep".into(),
                    Action::Mark => "mark".into(),
                    Action::Put(over) => format!("put over {:?}", over.map(|seen| seen.id.1)),
                };
                let links: Vec<_> =
                    group.links.iter().map(|(p, over)| format!("{p}/{:?}", over.map(|s| s.id.1))).collect();
                format!("{} {action}: {}", group.leader, links.join(" "))
            })
            .collect()
    }

    #[test]
    fn the_names_of_a_file_become_names_of_one_file() {
        let marked = State::Same { seen: seen(5), mark: true };
        let other = State::Differs(seen(8));
        for (what, members, groups) in [
            ("right already", vec![("a", 1, same(5)), ("b", 1, same(5))], vec![]),
            ("new", vec![("b", 1, State::Absent), ("a", 1, State::Absent)], vec!["a put over None: b/None"]),
            ("one is missing", vec![("a", 1, State::Absent), ("b", 1, same(5))], vec!["b keep: a/None"]),
            ("copied apart", vec![("a", 1, same(5)), ("b", 1, same(6))], vec!["a keep: b/Some(6)"]),
            ("changed", vec![("a", 1, other), ("b", 1, other)], vec!["a put over Some(8): b/Some(8)"]),
            ("one is another file", vec![("a", 1, other), ("b", 1, same(5))], vec!["b keep: a/Some(8)"]),
            ("new mode", vec![("a", 1, marked), ("b", 1, marked)], vec!["a mark: "]),
            ("linked outside only", vec![("a", 1, same(5))], vec![]),
            (
                "one file in the target, two in the source",
                vec![("a", 1, same(5)), ("b", 2, same(5))],
                vec!["b put over Some(5): "],
            ),
        ] {
            assert_eq!(resolved(&members), groups, "{what}");
        }
    }
}
