//! What a server says of its folders, as it is heard. Anybody may have chosen the names.

use std::collections::HashMap;

use super::{OddName, Status};
use crate::mail::clean;
use crate::mail::imap::engine::Listen;
use crate::mail::imap::lexer::{Lex, Lexer};

/// The most folders that are listed.
const MOST: usize = 100_000;

/// The longest name, in bytes: no server makes one as long.
const LONGEST_NAME: usize = 4096;

/// The most bytes that are held of all names and what stands beside them, and about how many each takes besides.
const MOST_TEXT: usize = 64 << 20;
const BESIDE: usize = 100;

/// The most names that cannot be used that are told.
const MOST_ODD: usize = 100;

/// A folder that can be named.
pub(super) struct Listed {
    pub(super) attributes: Vec<String>,
    pub(super) name: String,
}

/// Hears of folders, and holds no more of them than there can be.
#[derive(Default)]
pub(super) struct Ear {
    pub(super) listed: Vec<Listed>,
    pub(super) statuses: HashMap<String, Status>,
    /// Names that cannot be used: some of them, and how many there are.
    pub(super) odd: Vec<OddName>,
    pub(super) odd_count: u64,
    /// About how many bytes all that takes.
    text: usize,
}

impl Ear {
    fn holds(&mut self, bytes: usize) -> Result<(), Lex> {
        self.text = self.text.saturating_add(bytes + BESIDE);
        if self.text > MOST_TEXT { Err(Lex::Endless) } else { Ok(()) }
    }

    fn found_odd(&mut self, name: &[u8], why: &'static str) {
        self.odd_count += 1;
        if self.odd.len() < MOST_ODD {
            let shown = clean(&String::from_utf8_lossy(&name[..name.len().min(200)]));
            self.odd.push(OddName { shown, why });
        }
    }
}

impl Listen for Ear {
    fn hear(&mut self, _: Option<u32>, word: &str, line: &mut Lexer<'_>) -> Result<(), Lex> {
        match word {
            "LIST" => {
                let attributes = line.words()?;
                line.spaces()?;
                line.string()?;
                line.spaces()?;
                let name = folder_name(line)?;
                let beside = |word: &String| word.len() + BESIDE;
                self.holds(name.len() + attributes.iter().map(beside).sum::<usize>())?;
                if self.listed.len() >= MOST {
                    return Err(Lex::Endless);
                }
                // One that is only there for the folders in it has nothing that could be missed.
                let is_empty = |word: &String| {
                    word.eq_ignore_ascii_case("\\Noselect") || word.eq_ignore_ascii_case("\\NonExistent")
                };
                match usable(name) {
                    Ok(name) => self.listed.push(Listed { attributes, name }),
                    Err(_) if attributes.iter().any(is_empty) => {}
                    Err((name, why)) => self.found_odd(&name, why),
                }
            }
            "STATUS" => {
                let name = usable(folder_name(line)?);
                line.spaces()?;
                let status = status(line)?;
                let Ok(name) = name else { return Ok(()) };
                self.holds(name.len())?;
                if self.statuses.len() >= MOST {
                    return Err(Lex::Endless);
                }
                self.statuses.insert(name, status);
            }
            _ => {}
        }
        Ok(())
    }

    fn odd(&mut self, word: &str) {
        if word == "LIST" {
            self.found_odd(b"", "cannot be read");
        }
    }
}

/// A folder's name; one called NIL is called so.
fn folder_name(line: &mut Lexer<'_>) -> Result<Vec<u8>, Lex> {
    Ok(line.string()?.unwrap_or_else(|| b"NIL".to_vec()))
}

/// A name that can be sent back as it came, or what is wrong with it. One with a line end in it, which somebody else may
/// have chosen, could not be named in a command without ending it.
fn usable(name: Vec<u8>) -> Result<String, (Vec<u8>, &'static str)> {
    if name.is_empty() {
        return Err((name, "is empty"));
    }
    if name.len() > LONGEST_NAME {
        return Err((name, "is longer than 4096 bytes"));
    }
    if name.iter().any(u8::is_ascii_control) {
        return Err((name, "has a line end or another control character in it"));
    }
    String::from_utf8(name)
        .map_err(|bad| (bad.into_bytes(), "is in no encoding of names (neither UTF-7 nor UTF-8)"))
}

fn status(line: &mut Lexer<'_>) -> Result<Status, Lex> {
    let small = |number: u64| u32::try_from(number).map_err(|_| Lex::Odd);
    let mut status = Status::default();
    line.expect(b'(')?;
    loop {
        line.spaces()?;
        if line.eat(b')')? {
            return Ok(status);
        }
        let word = line.word()?.to_ascii_uppercase();
        line.spaces()?;
        match word.as_str() {
            "MESSAGES" => status.messages = Some(small(line.number()?)?),
            "UIDNEXT" => status.uid_next = Some(small(line.number()?)?),
            "UIDVALIDITY" => status.uid_validity = Some(small(line.number()?)?),
            "HIGHESTMODSEQ" => status.highest_mod_seq = Some(line.number()?),
            _ => line.skip_value()?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hears `* LIST` with each of these behind it.
    fn heard(lines: impl IntoIterator<Item = Vec<u8>>) -> (Ear, Result<(), Lex>) {
        let mut ear = Ear::default();
        let heard = lines.into_iter().try_for_each(|line| {
            let line = [line.as_slice(), b"\r\n"].concat();
            match ear.hear(None, "LIST", &mut Lexer::new(&mut &line[..])) {
                Err(Lex::Odd) => {
                    ear.odd("LIST");
                    Ok(())
                }
                heard => heard,
            }
        });
        (ear, heard)
    }

    #[test]
    fn names_that_cannot_be_used_are_told() {
        let long = format!("() \"/\" \"{}\"", "x".repeat(4097)).into_bytes();
        let lines: [&[u8]; 11] = [
            b"() \"/\" \"\xc3\xbcn\xc3\xaf\"",
            b"() \"/\" \xc3\xbc",
            b"() \"/\" nil",
            b"() \"/\" lat\xe9in",
            b"() \"/\" \"lat\xe9in\"",
            b"() \"/\" {5}\r\nnul\0x",
            b"() \"/\" {4}\r\nl\r\nf",
            b"() \"/\" \"\"",
            b"(\\NoSelect) \"/\" \"\"",
            b"() \"/\"",
            &long,
        ];
        let (ear, heard) = heard(lines.map(<[u8]>::to_vec));
        heard.unwrap();
        let names: Vec<_> = ear.listed.iter().map(|listed| listed.name.as_str()).collect();
        assert_eq!(names, ["ünï", "ü", "NIL"]);
        let odd: Vec<_> = ear.odd.iter().map(|odd| odd.shown.as_str()).collect();
        let cut = "x".repeat(200);
        let latin = "lat\u{fffd}in";
        assert_eq!(odd, [latin, latin, "nul\\u{0}x", "l f", "", "", &cut]);
        assert_eq!(ear.odd_count, 7);
    }

    #[test]
    fn no_server_fills_the_memory_with_names() {
        let name = |number: usize| format!("() \"/\" \"{number:04000}\"").into_bytes();
        let (ear, end) = heard((0..20_000).map(name));
        assert!(matches!(end, Err(Lex::Endless)) && ear.listed.len() < 17_000, "{}", ear.listed.len());
        let attributes = |_| format!("({}) \"/\" x", "\\a ".repeat(10_000)).into_bytes();
        let (ear, end) = heard((0..1000).map(attributes));
        assert!(matches!(end, Err(Lex::Endless)) && ear.listed[0].attributes.len() == 1000);
        let (ear, end) = heard((0..20).map(|_| format!("() \"/\" \"{}\"", "x".repeat(1 << 20)).into_bytes()));
        assert_eq!((end.is_ok(), ear.odd_count, ear.odd[0].shown.len()), (true, 20, 200));
    }
}
