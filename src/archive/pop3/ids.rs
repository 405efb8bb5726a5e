//! Keys of the ids that a server gives its messages; pure.

use std::collections::HashMap;

use crate::archive::key;
use crate::archive::source::Unnamed;
use crate::figures::of;

/// The numbers of a session's messages, each with its key. Two with one id and one size are copies of each other
/// (RFC 1939, 7), of which the first is enough; if the sizes differ, the server is wrong, and both are kept.
pub(super) fn keys(ids: &[(u32, Box<str>)], sizes: &HashMap<u32, u64>) -> Vec<(u32, String)> {
    let mut seen: HashMap<&str, Vec<Option<u64>>> = HashMap::with_capacity(ids.len());
    let mut keys = Vec::with_capacity(ids.len());
    for (number, id) in ids {
        let (size, same) = (sizes.get(number).copied(), seen.entry(id).or_default());
        if !same.contains(&size) {
            same.push(size);
            keys.push((*number, key::again(&key::key(id.as_bytes()), same.len())));
        }
    }
    keys
}

/// How many messages without an id are told one by one.
const TOLD: usize = 20;

/// The messages that have no id: without one nobody could tell them from others the next time.
pub(super) fn unnamed(folder: &str, odd: &[u32]) -> Vec<Unnamed> {
    let one = |message: String, cause: &str| Unnamed {
        folder: folder.to_owned(),
        message: Some(message),
        cause: cause.to_owned(),
        hint: "that is a fault of the server: tell its operator; all others are archived",
    };
    let no_id = "cannot be archived: the server tells no id of it that can be kept (UIDL)";
    let told = odd.iter().take(TOLD).map(|number| one(format!("message {number}"), no_id));
    let more = odd.len().saturating_sub(TOLD);
    let more = (more > 0).then(|| {
        one(
            "others".to_owned(),
            &format!("cannot be archived either: {}", of(more as u64, "message", "messages")),
        )
    });
    told.chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_one_and_others_are_told_apart() {
        let ids = [(1, "a"), (2, "b/c"), (3, "a"), (4, "a"), (5, "x y")].map(|(n, id)| (n, Box::from(id)));
        let sizes = HashMap::from([(1, 10), (2, 20), (3, 10), (4, 11)]);
        let keys = keys(&ids, &sizes);
        let keys: Vec<_> = keys.iter().map(|(number, key)| (*number, key.as_str())).collect();
        assert_eq!(keys, [(1, "a"), (2, "b%2Fc"), (4, "a%+2"), (5, "x%20y")]);
    }
}
