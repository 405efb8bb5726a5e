//! What a command around a run says: line by line in the run's log, and its last words for people.

use crate::entry::show;
use crate::figures::of;
use crate::journal::{Journal, LogLine, Op};

/// The most bytes of one command's output that the log keeps.
const MOST: usize = 64 << 10;

/// Longer lines are broken.
const LONGEST: usize = 2 << 10;

/// The most characters of last words.
const WORDS: usize = 300;

/// How much of the end is held for them: a character may take twelve bytes to be shown, or four to be said.
const TAIL: usize = 4 * WORDS;

/// Takes the output of one command.
pub(super) struct Output<'a> {
    journal: &'a dyn Journal,
    label: String,
    line: Vec<u8>,
    kept: usize,
    left_out: u64,
    tail: Vec<u8>,
}

impl<'a> Output<'a> {
    /// For a command of this kind: `run-before`.
    pub(super) fn new(journal: &'a dyn Journal, kind: &str) -> Self {
        let label = format!("({kind})");
        Self { journal, label, line: Vec::new(), kept: 0, left_out: 0, tail: Vec::new() }
    }

    /// Writes a line of ours.
    pub(super) fn note(&self, op: Op, text: &str) {
        self.journal.line(&LogLine { op, bytes: 0, path: &self.label, note: text });
    }

    /// Takes a piece.
    pub(super) fn take(&mut self, piece: &[u8]) {
        self.tail.extend_from_slice(&piece[piece.len().saturating_sub(TAIL)..]);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        let (keep, rest) = piece.split_at(piece.len().min(MOST - self.kept));
        self.kept += keep.len();
        self.left_out += rest.len() as u64;
        for byte in keep {
            match byte {
                b'\n' => self.end_line(),
                _ => {
                    self.line.push(*byte);
                    if self.line.len() == LONGEST {
                        self.end_line();
                    }
                }
            }
        }
    }

    /// Ends the last line, and gives the last words.
    pub(super) fn finish(&mut self) -> String {
        if !self.line.is_empty() {
            self.end_line();
        }
        if self.left_out > 0 {
            self.note(Op::Hook, &format!("... {} more left out here", of(self.left_out, "byte", "bytes")));
        }
        last_words(&self.tail)
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.note(Op::Hook, &show(line.strip_suffix(b"\r").unwrap_or(&line)));
    }
}

/// The last lines that have something in them, on one, as many as there is room for.
fn last_words(tail: &[u8]) -> String {
    let mut words = String::new();
    for line in tail.rsplit(|byte| matches!(byte, b'\n' | b'\r')) {
        let line = show(line.trim_ascii());
        let length = line.chars().count();
        if length == 0 {
            continue;
        }
        if words.is_empty() {
            words = line.chars().skip(length.saturating_sub(WORDS)).collect();
        } else if length + " / ".len() + words.chars().count() <= WORDS {
            words = format!("{line} / {words}");
        } else {
            break;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl Journal for Lines {
        fn line(&self, line: &LogLine<'_>) {
            self.0.lock().unwrap().push(line.to_string());
        }
    }

    fn heard(pieces: &[&[u8]]) -> (Vec<String>, String) {
        let lines = Lines::default();
        let mut output = Output::new(&lines, "run-after");
        pieces.iter().for_each(|piece| output.take(piece));
        let words = output.finish();
        (lines.0.into_inner().unwrap(), words)
    }

    #[test]
    fn pieces_become_lines() {
        let (lines, words) = heard(&[b"on", b"e\r\ntwo\n\nth", b"\xffree\tx"]);
        let line = |text: &str| format!("hook\t0\t(run-after){text}");
        assert_eq!(
            lines,
            [line("\tone"), line("\ttwo"), line(""), line("\tth\\xffree\\tx")],
            "a tab is no column"
        );
        assert_eq!(words, "one / two / th\\xffree\\tx");
        assert_eq!(heard(&[]), (vec![], String::new()));
        assert_eq!(heard(&[b"\n \n"]).1, "");
    }

    #[test]
    fn much_is_bounded_and_the_last_words_are_the_last() {
        let (lines, words) = heard(&[&vec![b'x'; MOST - 10], b"\n", &vec![b'y'; 1000], b"\nthe end\n"]);
        let kept: usize = lines.iter().map(|line| line.len()).sum();
        assert!(kept < MOST * 11 / 10, "{kept}");
        assert!(lines.iter().all(|line| line.len() < LONGEST + 100));
        assert!(lines.last().unwrap().ends_with("... 1,000 bytes more left out here"), "{:?}", lines.last());
        assert_eq!(words, "the end");
        let (_, words) = heard(&["ü".repeat(1000).as_bytes(), b"\n"]);
        assert_eq!(words.chars().count(), WORDS);
    }
}
