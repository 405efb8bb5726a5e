//! `* n FETCH (...)`, read as it comes.

use super::items::Key;
use super::{Fetched, Sink};
use crate::mail::imap::lexer::{Lex, Lexer, Value, number};

/// The most bytes of a header that are held.
const LARGEST_HEADER: usize = 1 << 20;

/// Reads what stands between the parentheses. Bodies go to the sink as they come.
pub(super) fn message(line: &mut Lexer<'_>, seq: u32, sink: &mut dyn Sink) -> Result<Fetched, Lex> {
    let mut fetched = Fetched { seq, ..Fetched::default() };
    line.expect(b'(')?;
    loop {
        line.spaces()?;
        if line.eat(b')')? {
            return Ok(fetched);
        }
        let key = Key::read(&line.word()?);
        line.spaces()?;
        match key {
            Key::Section(section) => {
                let size = match line.value()? {
                    Value::Literal(size) => size,
                    Value::List => return Err(Lex::Odd),
                    Value::Quoted | Value::Atom => {
                        // A short body may come as a quoted string, and a missing one as NIL.
                        let text = line.string()?.unwrap_or_default();
                        sink.begin(&fetched, section, text.len() as u64).map_err(Lex::Sink)?;
                        sink.bytes(&text).map_err(Lex::Sink)?;
                        continue;
                    }
                };
                sink.begin(&fetched, section, size).map_err(Lex::Sink)?;
                line.stream(size, &mut |part| sink.bytes(part).map_err(Lex::Sink))?;
            }
            Key::Header => match line.value()? {
                Value::Literal(size) => {
                    let header = fetched.header.insert(Vec::new());
                    line.stream(size, &mut |part| {
                        let room = LARGEST_HEADER - header.len();
                        header.extend_from_slice(&part[..part.len().min(room)]);
                        Ok(())
                    })?;
                }
                _ => fetched.header = line.string()?,
            },
            Key::Word(word) => attribute(line, &word, &mut fetched)?,
        }
    }
}

fn attribute(line: &mut Lexer<'_>, word: &str, fetched: &mut Fetched) -> Result<(), Lex> {
    let in_list =
        |line: &mut Lexer<'_>| -> Result<String, Lex> { line.words()?.into_iter().next().ok_or(Lex::Odd) };
    match word {
        "UID" => {
            let uid = u32::try_from(line.number()?).map_err(|_| Lex::Odd)?;
            fetched.uid = (uid > 0).then_some(uid);
        }
        // One that the server does not know is no reason not to know the message.
        "RFC822.SIZE" => fetched.size = number(&line.atom()?),
        "INTERNALDATE" => {
            let text = line.string()?.unwrap_or_default();
            fetched.internal_date = super::date::read(&String::from_utf8_lossy(&text));
        }
        "FLAGS" => fetched.flags = Some(line.words()?),
        "MODSEQ" => fetched.mod_seq = number(&in_list(line)?),
        "EMAILID" => fetched.email_id = Some(in_list(line)?),
        "X-GM-MSGID" => fetched.gmail_message = number(&line.atom()?),
        "X-GM-THRID" => fetched.gmail_thread = number(&line.atom()?),
        "X-GM-LABELS" => fetched.gmail_labels = Some(line.words()?),
        _ => line.skip_value()?,
    }
    Ok(())
}
