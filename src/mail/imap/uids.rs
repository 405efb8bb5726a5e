//! Sets of UIDs (RFC 9051, `sequence-set`): short, because some servers take no command longer than 10 kB.

/// The most UIDs that one set of a server's may name: more is no answer but an attack on our memory.
const MOST: usize = 100_000;

/// How long a set may get, in bytes.
const LONGEST: usize = 4000;

/// Reads a set as servers write it, in its order; None if it is none. There is no `*` in what servers say.
pub(super) fn read(text: &str) -> Option<Vec<u32>> {
    let mut uids = Vec::new();
    for range in text.split(',') {
        let uid =
            |text: &str| super::lexer::number(text).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        let (from, to) = (uid(from)?, uid(to)?);
        let length = usize::try_from(from.abs_diff(to)).ok()?;
        if length + uids.len() >= MOST {
            return None;
        }
        // RFC 9051: 4:2 is 2:4.
        uids.extend(from.min(to)..=from.max(to));
    }
    Some(uids)
}

/// Writes UIDs as sets that are short enough. Those that follow each other become
/// ranges if they stand so; sorted UIDs give the shortest sets.
pub(super) fn write(uids: &[u32]) -> Vec<String> {
    let mut sets = Vec::new();
    let mut set = String::new();
    let mut rest = uids.iter().copied().peekable();
    while let Some(from) = rest.next() {
        let mut to = from;
        while let Some(next) = rest.next_if(|next| to.checked_add(1) == Some(*next)) {
            to = next;
        }
        if set.len() > LONGEST {
            sets.push(std::mem::take(&mut set));
        }
        if !set.is_empty() {
            set.push(',');
        }
        set.push_str(&if from == to { from.to_string() } else { format!("{from}:{to}") });
    }
    if !set.is_empty() {
        sets.push(set);
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_in_their_order() {
        for (text, uids) in [
            ("1", Some(vec![1])),
            ("3955:3957,9", Some(vec![3955, 3956, 3957, 9])),
            ("4:2", Some(vec![2, 3, 4])),
            ("", None),
            ("0", None),
            ("1:*", None),
            ("1,,2", None),
            ("-1", None),
            ("+1", None),
            ("4294967296", None),
            ("1:4294967295", None),
        ] {
            assert_eq!(read(text), uids, "{text}");
        }
    }

    #[test]
    fn sets_are_short_and_complete() {
        assert_eq!(write(&[]), Vec::<String>::new());
        assert_eq!(write(&[1, 2, 3, 7, 9, 10]), ["1:3,7,9:10"]);
        assert_eq!(write(&[u32::MAX, 1]), ["4294967295,1"]);
        let odd: Vec<u32> = (0..5000).map(|n| n * 2 + 1_000_001).collect();
        let sets = write(&odd);
        assert!(sets.len() > 1 && sets.iter().all(|set| set.len() < LONGEST + 30));
        assert_eq!(sets.iter().flat_map(|set| read(set).unwrap()).collect::<Vec<_>>(), odd);
    }
}
