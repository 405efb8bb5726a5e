//! The mboxrd format: messages behind each other in one file, each behind a line that begins with `From `.
//!
//! Lines end with LF alone, as Thunderbird, mutt and Python's mailbox module have it. A line of a message that looks like
//! the beginning of one gets a `>` more than it has, which a reader takes away again.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What begins a message.
const FROM: &[u8] = b"From ";

/// The longest sender that is believed.
const SENDER: usize = 320;

/// The line before a message: the sender from its Return-Path, and its date in UTC. `start` is the message's beginning.
pub(super) fn from_line(start: &[u8], date: Timestamp) -> String {
    let sender = return_path(start).unwrap_or_else(|| "MAILER-DAEMON".into());
    format!("From {sender} {}\n", date.to_zoned(TimeZone::UTC).strftime("%a %b %e %H:%M:%S %Y"))
}

fn return_path(start: &[u8]) -> Option<String> {
    for line in start.split(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            return None;
        }
        let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':').unwrap_or(0));
        if name.eq_ignore_ascii_case(b"Return-Path") {
            let sender = value.get(1..)?.trim_ascii();
            let sender =
                sender.strip_prefix(b"<").and_then(|sender| sender.strip_suffix(b">")).unwrap_or(sender);
            let plain =
                !sender.is_empty() && sender.len() <= SENDER && sender.iter().all(u8::is_ascii_graphic);
            return if plain { String::from_utf8(sender.to_vec()).ok() } else { None };
        }
    }
    None
}

/// Writes one message, quoted. [`Quoting::end`] ends it.
pub(super) struct Quoting<W: Write> {
    out: W,
    ready: Vec<u8>,
    /// Whether only `>` came since the line began, and how much of [`FROM`].
    begins: bool,
    matched: usize,
    /// Whether a CR waits for what follows it.
    cr: bool,
    ended: bool,
}

impl<W: Write> Quoting<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, ready: Vec::new(), begins: true, matched: 0, cr: false, ended: true }
    }

    /// Writes what is no part of the message.
    pub(super) fn plain(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// The end of the message, and the empty line behind it.
    pub(super) fn end(mut self) -> io::Result<()> {
        if std::mem::take(&mut self.cr) {
            self.byte(b'\r');
        }
        self.unmatched();
        if !self.ended {
            self.put(b"\n");
        }
        self.put(b"\n");
        self.out.write_all(&self.ready)
    }

    fn put(&mut self, bytes: &[u8]) {
        self.ready.extend_from_slice(bytes);
        self.ended = bytes.ends_with(b"\n");
    }

    fn unmatched(&mut self) {
        let matched = std::mem::take(&mut self.matched);
        if matched > 0 {
            self.put(FROM.get(..matched).unwrap_or_default());
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.begins {
            if self.matched == 0 && byte == b'>' {
                return self.put(b">");
            }
            if FROM.get(self.matched) == Some(&byte) {
                self.matched += 1;
                if self.matched == FROM.len() {
                    self.put(b">");
                    self.unmatched();
                    self.begins = false;
                }
                return;
            }
            self.unmatched();
        }
        self.put(&[byte]);
        self.begins = byte == b'\n';
    }
}

impl<W: Write> Write for Quoting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            if std::mem::take(&mut self.cr) && *byte != b'\n' {
                self.byte(b'\r');
            }
            match byte {
                b'\r' => self.cr = true,
                byte => self.byte(*byte),
            }
        }
        self.out.write_all(&self.ready)?;
        self.ready.clear();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_quoted_however_it_comes() {
        for (message, quoted) in [
            ("a: b\r\n\r\nx\r\n", "a: b\n\nx\n\n"),
            ("no end", "no end\n\n"),
            ("", "\n"),
            (
                "From me\r\n>From you\n>>From us\nFrom\n From x\nxFrom y",
                ">From me\n>>From you\n>>>From us\nFrom\n From x\nxFrom y\n\n",
            ),
            ("Fro", "Fro\n\n"),
            (">>", ">>\n\n"),
            ("Fr\rom \r\r\nFrom x\r", "Fr\rom \r\n>From x\r\n\n"),
        ] {
            for step in [1, 2, 3, 100] {
                let mut out = Vec::new();
                let mut quoting = Quoting::new(&mut out);
                message.as_bytes().chunks(step).for_each(|chunk| quoting.write_all(chunk).unwrap());
                quoting.end().unwrap();
                assert_eq!(String::from_utf8(out).unwrap(), quoted, "{message:?} by {step}");
            }
        }
    }

    #[test]
    fn the_line_before_a_message_names_its_sender() {
        let date: Timestamp = "2024-02-09T07:05:03Z".parse().unwrap();
        for (start, sender) in [
            ("Return-Path: <ann@example.org>\r\nX: y\r\n\r\n", "ann@example.org"),
            ("X: y\nreturn-path:bob@example.org\n", "bob@example.org"),
            ("Return-Path: <>\n", "MAILER-DAEMON"),
            ("Return-Path: a b\n", "MAILER-DAEMON"),
            ("X: y\n\nReturn-Path: <ann@example.org>\n", "MAILER-DAEMON"),
            ("", "MAILER-DAEMON"),
        ] {
            assert_eq!(
                from_line(start.as_bytes(), date),
                format!("From {sender} Fri Feb  9 07:05:03 2024\n")
            );
        }
    }
}
