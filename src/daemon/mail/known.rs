//! What is known of a folder, to see after a pause whether something came.

use crate::mail::imap::{Count, Selected};

/// What was seen of the folder.
pub(super) struct Known {
    validity: u32,
    /// None: more came since it was told.
    next: Option<u32>,
    count: Count,
}

impl Known {
    /// As it is said to be when it is opened.
    pub fn of(selected: Selected) -> Self {
        Self {
            validity: selected.uid_validity,
            next: selected.uid_next,
            count: Count::new(selected.messages),
        }
    }

    /// How many messages there are.
    pub fn count(&self) -> Count {
        self.count
    }

    /// So many messages there are now; `came`: some of them are new.
    pub fn heard(&mut self, count: Count, came: bool) {
        self.count = count;
        self.next = self.next.filter(|_| !came);
    }

    /// Whether something may have come since then, if the folder is so now.
    pub fn is_older_than(&self, now: &Selected) -> bool {
        self.validity != now.uid_validity
            || match (self.next, now.uid_next) {
                (Some(then), Some(now)) => now > then,
                _ => now.messages > self.count.messages(),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_while_nobody_listened_is_known_by_the_marks() {
        let selected = |messages, uid_validity, uid_next| Selected {
            messages,
            uid_validity,
            uid_next,
            highest_mod_seq: None,
            read_only: true,
        };
        for (then, now, news) in [
            ((3, 1, Some(9)), (3, 1, Some(9)), false),
            ((3, 1, Some(9)), (3, 1, Some(10)), true),
            // One came and two went.
            ((3, 1, Some(9)), (2, 1, Some(10)), true),
            ((3, 1, Some(9)), (2, 1, Some(9)), false),
            ((3, 1, Some(9)), (3, 2, Some(9)), true),
            // A server that does not say is believed its number.
            ((3, 1, None), (4, 1, None), true),
            ((3, 1, None), (3, 1, Some(9)), false),
        ] {
            let known = Known::of(selected(then.0, then.1, then.2));
            assert_eq!(known.is_older_than(&selected(now.0, now.1, now.2)), news, "{then:?} {now:?}");
        }
    }
}
