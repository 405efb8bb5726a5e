//! What nobody wants to know: how to get over it.

use super::{LARGEST_LITERAL, Lex, Lexer, Value, number};

/// The deepest list that is looked through.
const DEEPEST: u32 = 64;

impl Lexer<'_> {
    /// Skips a value, however deep.
    pub(in crate::mail::imap) fn skip_value(&mut self) -> Result<(), Lex> {
        let mut depth: u32 = 0;
        loop {
            match self.value()? {
                Value::List => {
                    self.take()?;
                    depth += 1;
                    if depth > DEEPEST {
                        return Err(Lex::Odd);
                    }
                }
                Value::Quoted => drop(self.quoted()?),
                Value::Literal(size) => self.stream(size, &mut |_| Ok(()))?,
                Value::Atom if self.peek()? == b')' && depth > 0 => {
                    self.take()?;
                    depth -= 1;
                }
                Value::Atom => drop(self.atom()?),
            }
            if depth == 0 {
                return Ok(());
            }
            self.spaces()?;
        }
    }

    /// Skips to the end of the response, over literals that are in the way.
    pub(in crate::mail::imap) fn finish(&mut self) -> Result<(), Lex> {
        while !self.ended {
            match self.literal_at_end_of_line()? {
                Some(size) => self.stream(size, &mut |_| Ok(()))?,
                None => self.ended = true,
            }
        }
        Ok(())
    }

    /// Reads to the end of a line, which may end with the header of a literal.
    fn literal_at_end_of_line(&mut self) -> Result<Option<u64>, Lex> {
        // As much of the line's end as a header takes.
        let mut tail: Vec<u8> = Vec::new();
        loop {
            match self.take()? {
                b'\n' => break,
                byte => tail.push(byte),
            }
            if tail.len() > 64 {
                tail.drain(..32);
            }
        }
        let tail = tail.strip_suffix(b"\r").unwrap_or(&tail);
        let Some(tail) = tail.strip_suffix(b"}") else { return Ok(None) };
        let tail = tail.strip_suffix(b"+").unwrap_or(tail);
        let Some(brace) = tail.iter().rposition(|byte| *byte == b'{') else { return Ok(None) };
        let size = std::str::from_utf8(&tail[brace + 1..]).ok().and_then(number);
        match size {
            Some(size) if size > LARGEST_LITERAL => Err(Lex::Endless),
            size => Ok(size),
        }
    }
}
