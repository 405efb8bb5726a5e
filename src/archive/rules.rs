//! Which messages are left out by their sender, size and age; pure.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use jiff::{SignedDuration, Timestamp};

use super::source::Listed;
use crate::error::{Context, Error, Result};
use crate::profile::{MessageRules, quote};

/// The rules of a profile, ready for matching.
pub struct Rules {
    from: GlobSet,
    rules: MessageRules,
    now: Timestamp,
}

impl Rules {
    /// The rules at a time.
    ///
    /// # Errors
    /// A pattern is none.
    pub fn new(rules: &MessageRules, now: Timestamp) -> Result<Self> {
        let mut from = GlobSetBuilder::new();
        for pattern in &rules.from {
            let glob = GlobBuilder::new(pattern).case_insensitive(true).build();
            let glob = glob.map_err(|error| Error::other(error.to_string()));
            from.add(glob.context(|| format!("exclude-from: {} is no pattern", quote(pattern)))?);
        }
        let from = from.build().map_err(|error| Error::other(format!("exclude-from: {error}")))?;
        Ok(Self { from, rules: rules.clone(), now })
    }

    /// The rules as a text that is another one for other rules.
    pub fn text(&self) -> String {
        format!("{:?}", self.rules)
    }

    /// Whether a message is left out and will not be old enough one day. What is not known of it leaves nothing out: a size
    /// of 0 in a list is none.
    pub fn leave_out_for_good(&self, listed: &Listed) -> bool {
        self.leave_out_by(listed, Some(listed.size).filter(|size| *size > 0))
    }

    /// The same of a message that was fetched: its size is known.
    pub fn leave_out_fetched(&self, message: &Listed) -> bool {
        self.leave_out_by(message, Some(message.size))
    }

    fn leave_out_by(&self, message: &Listed, size: Option<u64>) -> bool {
        let rules = &self.rules;
        let sender = || message.from.as_deref().map(address).is_some_and(|from| self.from.is_match(from));
        rules.larger_than.zip(size).is_some_and(|(most, size)| size > most)
            || rules.smaller_than.zip(size).is_some_and(|(least, size)| size < least)
            || rules.older_than.zip(self.age(message)).is_some_and(|(most, age)| age > most)
            || sender()
    }

    /// Whether a message is left out for now.
    pub fn is_too_young(&self, message: &Listed) -> bool {
        self.rules.newer_than.zip(self.age(message)).is_some_and(|(least, age)| age < least)
    }

    fn age(&self, message: &Listed) -> Option<SignedDuration> {
        message.date.map(|date| self.now.duration_since(date))
    }
}

/// The address of a From field: between `<` and `>`, or all of it.
fn address(from: &str) -> &str {
    let inner = from.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or(from, |(address, _)| address).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_leaves_out_what_it_says_and_nothing_that_is_not_known() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let at = |from: Option<&str>, size: u64, hours: Option<i64>| Listed {
            from: from.map(str::to_owned),
            size,
            date: hours.map(|hours| now - SignedDuration::from_hours(hours)),
            ..Listed::default()
        };
        let day = SignedDuration::from_hours(24);
        let none = MessageRules::default();
        let rules = [
            (none.clone(), at(Some("a@b"), 9, Some(1)), false),
            (
                MessageRules { from: vec!["*@shop.example".into()], ..none.clone() },
                at(Some("Shop <News@SHOP.example>"), 1, None),
                true,
            ),
            (
                MessageRules { from: vec!["*@shop.example".into()], ..none.clone() },
                at(Some("x@myshop.example"), 1, None),
                false,
            ),
            (MessageRules { from: vec!["*@shop.example".into()], ..none.clone() }, at(None, 1, None), false),
            (MessageRules { larger_than: Some(10), ..none.clone() }, at(None, 11, None), true),
            (MessageRules { larger_than: Some(10), ..none.clone() }, at(None, 10, None), false),
            (MessageRules { smaller_than: Some(10), ..none.clone() }, at(None, 9, None), true),
            (MessageRules { smaller_than: Some(10), ..none.clone() }, at(None, 0, None), false),
            (MessageRules { older_than: Some(day), ..none.clone() }, at(None, 1, Some(25)), true),
            (MessageRules { older_than: Some(day), ..none.clone() }, at(None, 1, None), false),
            (MessageRules { newer_than: Some(day), ..none.clone() }, at(None, 1, Some(23)), true),
            (MessageRules { newer_than: Some(day), ..none }, at(None, 1, Some(24)), false),
        ];
        for (rules, message, out) in rules {
            let ready = Rules::new(&rules, now).unwrap();
            let left_out = ready.leave_out_for_good(&message) || ready.is_too_young(&message);
            assert_eq!(left_out, out, "{rules:?} {message:?}");
        }
        // Of what was fetched the size is known, whatever it is.
        let small = MessageRules { smaller_than: Some(10), ..MessageRules::default() };
        assert!(Rules::new(&small, now).unwrap().leave_out_fetched(&at(None, 0, None)));
        assert!(
            Rules::new(&MessageRules { from: vec!["[".into()], ..MessageRules::default() }, now).is_err()
        );
    }
}
