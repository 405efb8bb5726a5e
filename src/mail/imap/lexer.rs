//! What a server says, token by token (RFC 9051, section 9), read as it comes and never held whole.
//!
//! Everything is bounded: the bytes of one response that are looked at, and the depth of its lists. A literal is only
//! announced; who asked for it takes its bytes, or they are skipped.

mod skip;

use std::io::{self, BufRead};

/// The most bytes of one response that are looked at, literals that are streamed not counted.
const MOST: usize = 4 << 20;

/// The most bytes of a literal that is held in memory.
const LARGEST_STRING: u64 = 1 << 20;

/// The largest literal that is believed (RFC 9051: number64; a mail has a few GB at most).
pub(super) const LARGEST_LITERAL: u64 = 4 << 30;

/// The most words of a list that are held: no message has as many flags.
const MOST_WORDS: usize = 1000;

/// The longest atom.
const LONGEST_WORD: usize = 4096;

/// Why a response cannot be read.
#[derive(Debug)]
pub(super) enum Lex {
    /// The connection is no more.
    Io(io::Error),
    /// The grammar does not have it so; the rest of the response can be skipped.
    Odd,
    /// It is larger than anything that a server has to say.
    Endless,
    /// The one who takes the bytes cannot.
    Sink(crate::error::Error),
}

impl From<io::Error> for Lex {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

/// What a value begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// `"`
    Quoted,
    /// A literal of this many bytes, whose header has been read.
    Literal(u64),
    /// `(`
    List,
    /// Anything else: an atom, a number, NIL.
    Atom,
}

/// Reads one response.
pub(super) struct Lexer<'a> {
    from: &'a mut dyn BufRead,
    left: usize,
    /// Whether the response's own line end has been read.
    ended: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(from: &'a mut dyn BufRead) -> Self {
        Self { from, left: MOST, ended: false }
    }

    /// The next byte, which stays.
    pub(super) fn peek(&mut self) -> Result<u8, Lex> {
        if self.ended {
            return Err(Lex::Odd);
        }
        match self.from.fill_buf()?.first() {
            Some(byte) => Ok(*byte),
            None => Err(Lex::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up"))),
        }
    }

    fn take(&mut self) -> Result<u8, Lex> {
        let byte = self.peek()?;
        self.left = self.left.checked_sub(1).ok_or(Lex::Endless)?;
        self.from.consume(1);
        Ok(byte)
    }

    /// Takes this byte, or nothing.
    pub(super) fn eat(&mut self, byte: u8) -> Result<bool, Lex> {
        let there = self.peek()? == byte;
        if there {
            self.take()?;
        }
        Ok(there)
    }

    /// Takes this byte.
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Lex> {
        if self.eat(byte)? { Ok(()) } else { Err(Lex::Odd) }
    }

    /// Takes spaces: some servers are generous with them.
    pub(super) fn spaces(&mut self) -> Result<(), Lex> {
        while self.eat(b' ')? {}
        Ok(())
    }

    /// An atom: up to a space, a parenthesis or the end of the line.
    pub(super) fn atom(&mut self) -> Result<String, Lex> {
        Ok(String::from_utf8_lossy(&self.up_to_a_break(false)?).into_owned())
    }

    /// A word that announces something. What stands in `[]` belongs to it, as in `BODY[HEADER.FIELDS (DATE)]<0>`.
    pub(super) fn word(&mut self) -> Result<String, Lex> {
        Ok(String::from_utf8_lossy(&self.up_to_a_break(true)?).into_owned())
    }

    fn up_to_a_break(&mut self, brackets: bool) -> Result<Vec<u8>, Lex> {
        let mut word = Vec::new();
        let mut inside = false;
        loop {
            match self.peek()? {
                b'\r' | b'\n' => break,
                b' ' | b'(' | b')' if !inside => break,
                b'[' => inside = brackets,
                b']' => inside = false,
                _ => {}
            }
            word.push(self.take()?);
            if word.len() > LONGEST_WORD {
                return Err(Lex::Odd);
            }
        }
        if word.is_empty() {
            return Err(Lex::Odd);
        }
        Ok(word)
    }

    /// A number.
    pub(super) fn number(&mut self) -> Result<u64, Lex> {
        number(&self.atom()?).ok_or(Lex::Odd)
    }

    /// What stands next. A literal's header is read.
    pub(super) fn value(&mut self) -> Result<Value, Lex> {
        Ok(match self.peek()? {
            b'"' => Value::Quoted,
            b'(' => Value::List,
            b'{' => Value::Literal(self.literal_header()?),
            // RFC 3516: the bytes of a literal8 may be any.
            b'~' => {
                self.take()?;
                Value::Literal(self.literal_header()?)
            }
            _ => Value::Atom,
        })
    }

    fn literal_header(&mut self) -> Result<u64, Lex> {
        self.expect(b'{')?;
        let mut size: u64 = 0;
        let mut digits = 0;
        while self.peek()?.is_ascii_digit() {
            size = size * 10 + u64::from(self.take()? - b'0');
            digits += 1;
            if size > LARGEST_LITERAL {
                return Err(Lex::Endless);
            }
        }
        self.eat(b'+')?;
        if digits == 0 {
            return Err(Lex::Odd);
        }
        self.expect(b'}')?;
        self.eat(b'\r')?;
        self.expect(b'\n')?;
        Ok(size)
    }

    /// The bytes of a literal, as they come.
    pub(super) fn stream(
        &mut self,
        size: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Lex>,
    ) -> Result<(), Lex> {
        let mut left = size;
        while left > 0 {
            let part = self.from.fill_buf()?;
            if part.is_empty() {
                return Err(Lex::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up")));
            }
            let length = part.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            sink(&part[..length])?;
            self.from.consume(length);
            left -= length as u64;
        }
        Ok(())
    }

    /// A string in any of its forms: quoted, literal, atom; None for NIL.
    pub(super) fn string(&mut self) -> Result<Option<Vec<u8>>, Lex> {
        match self.value()? {
            Value::Quoted => self.quoted().map(Some),
            Value::Literal(size) if size <= LARGEST_STRING => {
                self.left = usize::try_from(size)
                    .ok()
                    .and_then(|size| self.left.checked_sub(size))
                    .ok_or(Lex::Endless)?;
                let mut bytes = Vec::new();
                self.stream(size, &mut |part| {
                    bytes.extend_from_slice(part);
                    Ok(())
                })?;
                Ok(Some(bytes))
            }
            Value::Literal(_) => Err(Lex::Endless),
            Value::List => Err(Lex::Odd),
            Value::Atom => {
                let word = self.up_to_a_break(false)?;
                Ok((!word.eq_ignore_ascii_case(b"NIL")).then_some(word))
            }
        }
    }

    /// A quoted string, without quotes.
    pub(super) fn quoted(&mut self) -> Result<Vec<u8>, Lex> {
        self.expect(b'"')?;
        let mut bytes = Vec::new();
        loop {
            match self.peek()? {
                b'\r' | b'\n' => return Err(Lex::Odd),
                b'"' => {
                    self.take()?;
                    return Ok(bytes);
                }
                b'\\' => {
                    self.take()?;
                    if matches!(self.peek()?, b'\r' | b'\n') {
                        return Err(Lex::Odd);
                    }
                    bytes.push(self.take()?);
                }
                _ => bytes.push(self.take()?),
            }
        }
    }

    /// The words of a list of atoms or strings, such as flags; of very many the first ones.
    pub(super) fn words(&mut self) -> Result<Vec<String>, Lex> {
        self.expect(b'(')?;
        let mut words = Vec::new();
        loop {
            self.spaces()?;
            if self.eat(b')')? {
                return Ok(words);
            }
            let word = self.string()?.unwrap_or_default();
            if words.len() < MOST_WORDS {
                words.push(String::from_utf8_lossy(&word).into_owned());
            }
        }
    }

    /// The rest of the line as text, in which nothing is a literal: what people are told.
    pub(super) fn text(&mut self) -> Result<String, Lex> {
        let mut bytes = Vec::new();
        loop {
            match self.peek()? {
                b'\n' => {
                    self.take()?;
                    self.ended = true;
                    break;
                }
                _ => bytes.push(self.take()?),
            }
        }
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Digits and nothing else.
pub(super) fn number(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;
