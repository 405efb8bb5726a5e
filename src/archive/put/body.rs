//! The bytes of a message as a server wants them, and what tells them from others; pure.

use std::io::{self, Write};

use super::identity::{Identity, content, id_of_header};
use crate::archive::stored::Stored;
use crate::error::{Error, Result};
use crate::mail::imap::Body;

/// Gives the bytes of messages, as archived.
pub trait Bodies {
    /// Says which will be read next, in this order, by their places among the messages of the call: they can be fetched
    /// together.
    fn ahead(&mut self, _: &mut dyn Iterator<Item = usize>) {}

    /// The bytes of the message at this place.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&mut self, at: usize, message: &Stored) -> Result<Vec<u8>>;
}

impl<F: FnMut(&Stored) -> Result<Vec<u8>>> Bodies for F {
    fn read(&mut self, _: usize, message: &Stored) -> Result<Vec<u8>> {
        self(message)
    }
}

/// The bytes of a message as a server wants them.
///
/// # Errors
/// It cannot be read, or no server takes it.
pub(super) fn body((at, message): (usize, &Stored), bodies: &mut dyn Bodies) -> Result<Vec<u8>> {
    let bytes = bodies
        .read(at, message)
        .map_err(|why| Error::new(why.kind(), "cannot read it from the archive").caused_by(why))?;
    if !message.is(&bytes) {
        return Err(Error::other("what is in the archive is not what was archived"));
    }
    if memchr::memchr(0, &bytes).is_some() {
        return Err(Error::other("there are NUL bytes in it, which no server takes"));
    }
    Ok(crlf(bytes))
}

/// Line ends as IMAP wants them: a bare LF, as a Maildir has it, becomes CRLF.
fn crlf(bytes: Vec<u8>) -> Vec<u8> {
    let bare = |at: &usize| *at == 0 || bytes.get(at - 1) != Some(&b'\r');
    let count = memchr::memchr_iter(b'\n', &bytes).filter(bare).count();
    if count == 0 {
        return bytes;
    }
    let mut out = Vec::with_capacity(bytes.len() + count);
    let mut from = 0;
    for at in memchr::memchr_iter(b'\n', &bytes).filter(bare) {
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        out.push(b'\r');
        from = at;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    out
}

/// What tells a message from others, with its bytes at hand.
pub(super) fn identity(message: &Stored, body: &[u8]) -> Identity {
    let known = Identity::of(message);
    let id = known.id.or_else(|| id_of_header(body));
    Identity { id, size: body.len() as u64, hash: Some(content(body)), ..known }
}

/// A message on its way, with its flags.
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) flags: Vec<String>,
}

impl Body for Content {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn flags(&self) -> &[String] {
        &self.flags
    }
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::put::tests::message;

    #[test]
    fn line_ends_become_those_of_imap() {
        for (given, made) in
            [("", ""), ("a\r\nb", "a\r\nb"), ("\na\nb\r\n\n", "\r\na\r\nb\r\n\r\n"), ("a\rb", "a\rb")]
        {
            assert_eq!(crlf(given.into()), made.as_bytes());
        }
    }

    #[test]
    fn what_no_server_takes_is_not_sent() {
        let mut stored = message(1, "x");
        let mut give = |bytes: &'static [u8]| {
            stored.size = bytes.len() as u64;
            body((0, &stored), &mut |_: &Stored| Ok(bytes.to_vec()))
        };
        assert_eq!(give(b"a\nb").unwrap(), b"a\r\nb");
        assert!(give(b"a\0b").unwrap_err().to_string().contains("NUL"));
        stored.size = 7;
        assert!(body((0, &stored), &mut |_: &Stored| Ok(b"other".to_vec())).is_err());
        assert!(
            body((0, &stored), &mut |_: &Stored| Err(Error::other("gone")))
                .unwrap_err()
                .one_line()
                .contains("gone")
        );
    }

    #[test]
    fn a_message_without_a_message_id_is_known_by_its_content() {
        let mut stored = message(1, "x");
        assert_eq!(identity(&stored, b"body").id, Identity::of(&stored).id);
        stored.marks.message_id = None;
        assert!(identity(&stored, b"Message-ID: <1@x>\r\n\r\n").id.is_some());
        let without = identity(&stored, b"Subject: x\r\n\r\n");
        assert!(without.id.is_none() && without.hash.is_some() && without.size == 14);
    }
}
