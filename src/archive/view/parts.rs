//! The parts of a message (RFC 2046), found in one pass over its lines.
//!
//! The library that reads headers would read whole messages, too, but holds all of it, nests as deep as a stranger likes,
//! and looks through the rest of the message for each boundary that never comes. Here each line is looked at once, and
//! how many parts there may be, how deep, and how long their headers, is bounded.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::header::{self, Head};

/// The most parts that are told.
pub const MOST_PARTS: usize = 1000;

/// The most multiparts inside each other.
pub const DEEPEST: usize = 50;

/// A part without parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaf {
    /// Its number as IMAP counts (RFC 9051, 6.4.5.1): `2.1`.
    pub number: String,
    /// What its header says.
    pub head: Head,
    /// Where its content is in the message, as it is encoded.
    pub bytes: Range<usize>,
    /// The alternatives that it belongs to: which multipart/alternative, and to which of its parts.
    pub alternatives: Vec<(usize, usize)>,
}

/// All parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// The header of the message, without the empty line; bounded.
    pub header: Range<usize>,
    /// The first [`MOST_PARTS`] of them.
    pub leaves: Vec<Leaf>,
    /// How many more there are, as far as can be told without looking into them.
    pub more: usize,
    /// Whether some lie deeper than [`DEEPEST`].
    pub deep: bool,
}

/// A multipart that has not ended.
struct Open {
    boundary: Vec<u8>,
    number: String,
    /// How many parts began.
    children: usize,
    /// Where its own content begins.
    body: usize,
    alternative: Option<usize>,
    digest: bool,
    alternatives: Vec<(usize, usize)>,
}

/// A line that ends a part.
struct Delimiter {
    start: usize,
    next: usize,
    /// Which of the open multiparts it belongs to.
    of: usize,
    last: bool,
}

struct Walk<'a> {
    raw: &'a [u8],
    open: Vec<Open>,
    /// The part that has not ended.
    leaf: Option<Leaf>,
    seen: usize,
    parts: Parts,
}

/// Finds all parts of a message.
pub fn parts(raw: &[u8]) -> Parts {
    let mut walk = Walk { raw, open: Vec::new(), leaf: None, seen: 0, parts: Parts::default() };
    let mut at = walk.begin(0);
    while let Some(delimiter) = walk.delimiter(at) {
        walk.end(delimiter.start, delimiter.of + 1);
        at = delimiter.next;
        if delimiter.last {
            walk.end(delimiter.start, delimiter.of);
        } else {
            at = walk.begin(at);
        }
    }
    walk.end(raw.len(), 0);
    walk.parts
}

impl Walk<'_> {
    /// A part begins with its header; where its content begins.
    fn begin(&mut self, at: usize) -> usize {
        let whole = self.open.is_empty();
        if self.parts.leaves.len() >= MOST_PARTS {
            self.parts.more += 1;
            return at;
        }
        let (end, body) = self.header(at);
        let range = at..end.min(at + header::LONGEST);
        let digest = self.open.last().is_some_and(|open| open.digest);
        let head = header::head(self.raw.get(range.clone()).unwrap_or_default(), digest);
        if whole {
            self.parts.header = range;
        }
        let (number, alternatives) = match self.open.last_mut() {
            None => (String::new(), Vec::new()),
            Some(open) => {
                open.children += 1;
                let dot = if open.number.is_empty() { "" } else { "." };
                let mut alternatives = open.alternatives.clone();
                alternatives.extend(open.alternative.map(|which| (which, open.children)));
                (format!("{}{dot}{}", open.number, open.children), alternatives)
            }
        };
        self.seen += 1;
        match head.boundary.clone() {
            Some(boundary) if self.open.len() < DEEPEST => {
                let kind = head.kind.as_str();
                self.open.push(Open {
                    boundary,
                    number,
                    children: 0,
                    body,
                    alternative: (kind == "multipart/alternative").then_some(self.seen),
                    digest: kind == "multipart/digest",
                    alternatives,
                });
            }
            nested => {
                self.parts.deep |= nested.is_some();
                let number = if whole { "1".into() } else { number };
                self.leaf = Some(Leaf { number, head, bytes: body..body, alternatives });
            }
        }
        body
    }

    /// Where a header ends, and what follows it begins. One that nothing ends is ended by the first line that can be no part
    /// of it, and that line is text.
    fn header(&self, start: usize) -> (usize, usize) {
        let mut at = start;
        let mut fields = false;
        loop {
            let rest = self.raw.get(at..).unwrap_or_default();
            let length = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            match rest.get(..length).unwrap_or_default() {
                // Without any field all is text.
                b"" if !fields && self.open.is_empty() => return (start, start),
                b"" => return (at, at),
                b"\n" | b"\r\n" => return (at, at + length),
                line if self.boundary(line).is_some() => return (at, at),
                line if header::is_field(line) => fields = true,
                // What a mailbox file had before a message.
                line if !fields || line.starts_with(b" ") || line.starts_with(b"\t") => {}
                line if line.starts_with(b"From ") || line.starts_with(b">From ") => {}
                _ => return (at, at),
            }
            at += length;
        }
    }

    /// The next line that ends a part, from the beginning of a line on.
    fn delimiter(&self, mut at: usize) -> Option<Delimiter> {
        if self.open.is_empty() {
            return None;
        }
        loop {
            let rest = self.raw.get(at..)?;
            if !rest.starts_with(b"--") {
                at += memmem::find(rest, b"\n--")? + 1;
                continue;
            }
            let length = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            match rest.get(..length).and_then(|line| self.boundary(line)) {
                Some((of, last)) => return Some(Delimiter { start: at, next: at + length, of, last }),
                None if length == rest.len() => return None,
                None => at += length,
            }
        }
    }

    /// Whose boundary a line is, and whether it is the last one.
    fn boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        let name = line.strip_prefix(b"--")?.trim_ascii_end();
        let find = |name: &[u8]| self.open.iter().rposition(|open| open.boundary == name);
        let plain = find(name).map(|of| (of, false));
        plain.or_else(|| Some((find(name.strip_suffix(b"--")?.trim_ascii_end())?, true)))
    }

    /// The part that is open ends, and so do all multiparts but the first `keep`. The line end before a boundary
    /// belongs to the boundary.
    fn end(&mut self, at: usize, keep: usize) {
        let mut end = at;
        if at < self.raw.len() {
            let before = self.raw.get(..at).unwrap_or_default();
            let without = before.strip_suffix(b"\n").map(|rest| rest.strip_suffix(b"\r").unwrap_or(rest));
            end = without.map_or(at, <[u8]>::len);
        }
        if let Some(mut leaf) = self.leaf.take() {
            leaf.bytes.end = end.max(leaf.bytes.start);
            self.parts.leaves.push(leaf);
        }
        while self.open.len() > keep {
            let Some(open) = self.open.pop() else { break };
            // A multipart whose boundary never came is the text that it is.
            if open.children == 0 && self.parts.more == 0 {
                let number = if open.number.is_empty() { "1".into() } else { open.number };
                let bytes = open.body..end.max(open.body);
                let head = Head { kind: "text/plain".into(), ..Head::default() };
                self.parts.leaves.push(Leaf { number, head, bytes, alternatives: open.alternatives });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(raw: &str) -> Vec<(String, String, String)> {
        let parts = parts(raw.as_bytes());
        let text = |leaf: &Leaf| raw.get(leaf.bytes.clone()).unwrap().to_owned();
        parts.leaves.iter().map(|leaf| (leaf.number.clone(), leaf.head.kind.clone(), text(leaf))).collect()
    }

    fn expect(raw: &str, expected: &[(&str, &str, &str)]) {
        let expected = expected.iter().map(|(a, b, c)| ((*a).into(), (*b).into(), (*c).into()));
        assert_eq!(told(raw), expected.collect::<Vec<(String, String, String)>>(), "{raw}");
    }

    #[test]
    fn parts_are_found_whatever_they_are_made_of() {
        expect("Subject: x\r\n\r\nbody\r\n", &[("1", "text/plain", "body\r\n")]);
        expect("no header at all", &[("1", "text/plain", "no header at all")]);
        // What ends the header is no empty line.
        expect("Subject: x\r\nX: y\r\n \r\nbody: is\r\ntext\r\n", &[("1", "text/plain", "text\r\n")]);
        expect("Subject: x\n \nbody\n\nmore\n", &[("1", "text/plain", "body\n\nmore\n")]);
        expect("Subject: x\n>From y\nbody\nX: y\n\nz", &[("1", "text/plain", "body\nX: y\n\nz")]);
        expect("", &[("1", "text/plain", "")]);
        let mixed = "Content-Type: multipart/mixed; boundary=\"b\"\n\npreamble\n";
        expect(
            &format!("{mixed}--b\n\none\n--b\nContent-Type: image/PNG\n\ntwo\n--b--\nepilogue\n"),
            &[("1", "text/plain", "one"), ("2", "image/png", "two")],
        );
        // Boundaries that never come, that are only nearly ones, and that belong to nobody.
        expect(mixed, &[("1", "text/plain", "preamble\n")]);
        expect(
            &format!("{mixed}--b\n\na\n--bb\n --b\n--c--\nb"),
            &[("1", "text/plain", "a\n--bb\n --b\n--c--\nb")],
        );
        // The outer one ends the inner one.
        let inner = "Content-Type: multipart/alternative; boundary=i\n\n";
        expect(
            &format!(
                "{mixed}--b\n{inner}--i\n\nx\n--i\nContent-Type: text/html\n\ny\n--b\n\nz\n--b--\n--i\n"
            ),
            &[("1.1", "text/plain", "x"), ("1.2", "text/html", "y"), ("2", "text/plain", "z")],
        );
        // A boundary on a line of its own.
        let folded = "Content-Type: Multipart/signed; x=\"boundary=no\"; Boundary =\n \"b; c\"; y=z\n\n--b; c\n\none\n--b; c--\n";
        expect(folded, &[("1", "text/plain", "one")]);
        // A header without an end, and one without a body.
        expect(&format!("{mixed}--b\nX: y\n--b--\n"), &[("1", "text/plain", "")]);
        // What is in a message is its own business; in a digest that is what parts are.
        let digest = "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in\n\ntext\n--b--\n";
        expect(digest, &[("1", "message/rfc822", "Subject: in\n\ntext")]);
    }

    #[test]
    fn alternatives_know_each_other() {
        let raw = "Content-Type: multipart/alternative; boundary=a\n\n--a\n\nx\n--a\nContent-Type: multipart/related; \
                   boundary=r\n\n--r\nContent-Type: text/html\n\ny\n--r--\n--a--\n";
        let parts = parts(raw.as_bytes());
        let of: Vec<_> = parts.leaves.iter().map(|leaf| leaf.alternatives.clone()).collect();
        assert_eq!(of, [vec![(1, 1)], vec![(1, 2)]]);
    }

    #[test]
    fn ten_thousand_parts_and_a_thousand_levels_are_bounded() {
        let mut raw = String::from("Content-Type: multipart/mixed; boundary=b\n\n");
        (0..10_000).for_each(|n| raw.push_str(&format!("--b\n\npart {n}\n")));
        let all = parts(raw.as_bytes());
        assert_eq!((all.leaves.len(), all.more, all.deep), (MOST_PARTS, 9000, false));

        let mut raw = String::new();
        (0..1000).for_each(|n| {
            raw.push_str(&format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"));
        });
        let all = parts(raw.as_bytes());
        assert_eq!((all.leaves.len(), all.more, all.deep), (1, 0, true));
        assert_eq!(all.leaves[0].head.kind, "multipart/mixed");

        // Each of them would have the rest looked through for what never comes.
        let mut raw = String::from("Content-Type: multipart/mixed; boundary=b\n\n");
        (0..300_000).for_each(|n| {
            raw.push_str(&format!("--b\nContent-Type: multipart/mixed; boundary=n{n}\n\n--\n"));
        });
        assert_eq!(parts(raw.as_bytes()).leaves.len(), MOST_PARTS);
    }
}
