//! What a server offers (RFC 2449).

use std::collections::BTreeMap;

/// The most capabilities that are remembered.
const MOST: usize = 1000;

/// What becomes of messages by themselves (EXPIRE; RFC 2449, 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expire {
    /// The server may delete a message once it was fetched and the session ended with QUIT.
    WhenFetched,
    /// The server may delete it after so many days.
    Days(u32),
    /// It stays.
    Never,
}

/// The capabilities of a server, each with its arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offers {
    /// In capitals, as no two servers write alike. None: the server does not know CAPA.
    words: Option<BTreeMap<String, String>>,
}

impl Offers {
    /// Those of a server that knows CAPA, and has said nothing yet.
    pub(super) fn some() -> Self {
        Self { words: Some(BTreeMap::new()) }
    }

    /// Hears a line of its answer.
    pub(super) fn hear(&mut self, line: &str) {
        let words = self.words.get_or_insert_default();
        let (word, arguments) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        if words.len() < MOST && !word.is_empty() {
            words.insert(word.to_ascii_uppercase(), arguments.trim().to_owned());
        }
    }

    /// Whether the server says at all what it can do: where it does not, one can only try.
    pub fn known(&self) -> bool {
        self.words.is_some()
    }

    /// Whether it offers this, in capitals.
    pub fn has(&self, capability: &str) -> bool {
        self.arguments(capability).is_some()
    }

    /// The arguments of a capability, in capitals; None: it is not offered.
    pub fn arguments(&self, capability: &str) -> Option<&str> {
        self.words.as_ref()?.get(capability).map(String::as_str)
    }

    /// All of them, in capitals.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.words.iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// The mechanisms of AUTH (RFC 5034), in capitals.
    pub(super) fn mechanisms(&self) -> Vec<String> {
        let words = self.arguments("SASL").unwrap_or_default().split_ascii_whitespace();
        words.map(str::to_ascii_uppercase).collect()
    }

    /// What becomes of messages by themselves. None: the server does not say.
    pub fn expire(&self) -> Option<Expire> {
        let days = self.arguments("EXPIRE")?.split_ascii_whitespace().next()?;
        match super::answer::number(days) {
            Some(0) => Some(Expire::WhenFetched),
            Some(days) => Some(Expire::Days(days)),
            None => days.eq_ignore_ascii_case("NEVER").then_some(Expire::Never),
        }
    }

    /// The seconds that must lie between two logins (LOGIN-DELAY).
    pub fn login_delay(&self) -> Option<u32> {
        super::answer::number(self.arguments("LOGIN-DELAY")?.split_ascii_whitespace().next()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_offers() {
        for (said, mechanisms, expire, delay) in [
            (
                "SASL PLAIN login\nEXPIRE 0\nLOGIN-DELAY 300",
                &["PLAIN", "LOGIN"][..],
                Some(Expire::WhenFetched),
                Some(300),
            ),
            ("sasl XOAUTH2\nexpire 60 USER", &["XOAUTH2"], Some(Expire::Days(60)), None),
            ("SASL\nEXPIRE NEVER", &[], Some(Expire::Never), None),
            ("EXPIRE x\nLOGIN-DELAY x USER", &[], None, None),
            ("EXPIRE\n\nLOGIN-DELAY", &[], None, None),
        ] {
            let mut offers = Offers::some();
            said.lines().for_each(|line| offers.hear(line));
            assert_eq!(offers.mechanisms(), mechanisms, "{said}");
            assert_eq!((offers.expire(), offers.login_delay()), (expire, delay), "{said}");
        }
        assert!(!Offers::default().known() && Offers::some().known());
    }

    #[test]
    fn no_server_fills_the_memory_with_what_it_can_do() {
        let mut offers = Offers::some();
        (0..5000).for_each(|n| offers.hear(&format!("X-{n} y")));
        assert_eq!(offers.iter().count(), MOST);
    }
}
