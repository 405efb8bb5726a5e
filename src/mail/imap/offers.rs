//! What a server offers (RFC 9051, 6.1.1).

use std::collections::BTreeSet;

use super::engine::Listen;
use super::lexer::{Lex, Lexer};

/// The most capabilities that are remembered.
const MOST: usize = 1000;

/// The capabilities of a server, after the login.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offers(BTreeSet<String>);

/// How literals may be sent (RFC 7888).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Literals {
    /// All without asking (LITERAL+).
    Plus,
    /// Up to 4096 bytes without asking (LITERAL-).
    Minus,
    /// The server must be asked each time.
    Ask,
}

impl Offers {
    /// Reads the words of `* CAPABILITY ...`, or of the code `[CAPABILITY ...]` in a status (RFC 9051, 7.1), as they
    /// stand in what the server said.
    pub(super) fn read(said: &[u8]) -> Self {
        let said = String::from_utf8_lossy(said).to_ascii_uppercase();
        let mut offers = Self::default();
        for line in said.lines() {
            if let Some(words) = line.trim().strip_prefix("* CAPABILITY ") {
                offers.learn(words);
            } else if let Some((_, rest)) = line.split_once("[CAPABILITY ") {
                offers.learn(rest.split(']').next().unwrap_or_default());
            }
        }
        offers
    }

    /// Whether the server has not said what it offers: every server offers something.
    pub(super) fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }

    fn learn(&mut self, words: &str) {
        self.0.extend(words.split_ascii_whitespace().take(MOST).map(str::to_ascii_uppercase));
    }

    /// Whether it offers this, in capitals.
    pub fn has(&self, capability: &str) -> bool {
        self.0.contains(capability)
    }

    /// All of them, in capitals.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The largest message that it takes, in bytes (APPENDLIMIT, RFC 7889). None: it does not say, or says so for each
    /// folder.
    pub fn append_limit(&self) -> Option<u64> {
        self.0.iter().find_map(|word| super::lexer::number(word.strip_prefix("APPENDLIMIT=")?))
    }

    pub(super) fn literals(&self) -> Literals {
        if self.has("LITERAL+") {
            Literals::Plus
        } else if self.has("LITERAL-") || self.has("IMAP4REV2") {
            Literals::Minus
        } else {
            Literals::Ask
        }
    }
}

impl Listen for Offers {
    fn hear(&mut self, number: Option<u32>, word: &str, line: &mut Lexer<'_>) -> Result<(), Lex> {
        if number.is_none() && word == "CAPABILITY" && self.0.len() < MOST {
            self.learn(&line.text()?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_offers() {
        for (said, literals, limit) in [
            ("* CAPABILITY IMAP4rev1 LITERAL+ APPENDLIMIT=35651584\r\n", Literals::Plus, Some(35_651_584)),
            ("* OK x\r\n* capability imap4rev1 literal-\r\n", Literals::Minus, None),
            ("* OK [CAPABILITY IMAP4rev1 LITERAL+] ready [LITERAL-]\r\n", Literals::Plus, None),
            ("a2 OK [CAPABILITY IMAP4rev1 APPENDLIMIT=7", Literals::Ask, Some(7)),
            ("* OK [ALERT] LITERAL+\r\n", Literals::Ask, None),
            ("* CAPABILITY IMAP4rev1 IMAP4rev2\r\n", Literals::Minus, None),
            ("* CAPABILITY IMAP4rev1 APPENDLIMIT\r\n", Literals::Ask, None),
            ("* CAPABILITY APPENDLIMIT=x\r\n", Literals::Ask, None),
            ("", Literals::Ask, None),
        ] {
            let offers = Offers::read(said.as_bytes());
            assert_eq!((offers.literals(), offers.append_limit()), (literals, limit), "{said}");
        }
    }
}
