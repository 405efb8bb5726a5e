//! Questions on a terminal, or through a pipe.

use std::io::{BufRead, Read, Write};
use std::sync::{Mutex, Once};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::usage;
use crate::error::{Context as _, Result};
use crate::mutex::lock;

/// The longest answer, in bytes: longer than any path.
const LONGEST: u64 = 16 * 1024;

/// How often a person is asked the same.
const TRIES: usize = 3;

/// A question.
pub(super) struct Question<'a> {
    /// What is asked.
    pub text: &'a str,
    /// What Enter means; none: an answer is needed.
    pub default: Option<&'a str>,
    /// The flag that answers it.
    pub flag: &'a str,
    /// What that flag says: then nothing is asked.
    pub given: Option<&'a str>,
    /// Whether the answer is a secret: it is not seen while it is typed.
    pub hidden: bool,
    /// Says whether an answer will do, and what it comes to.
    pub check: &'a dyn Fn(&str) -> Result<String>,
}

/// Asks through `input` and `output`.
pub(super) struct Asker<R, W> {
    input: R,
    output: W,
    /// Whether a person is there to be asked again.
    patient: bool,
    /// Whether to take the defaults without asking.
    silent: bool,
}

impl<R: BufRead, W: Write> Asker<R, W> {
    pub(super) fn new(input: R, output: W, patient: bool, silent: bool) -> Self {
        Self { input, output, patient, silent }
    }

    /// Prints `text` as it is.
    pub(super) fn say(&mut self, text: &str) -> Result<()> {
        let written = self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush());
        written.context(|| "cannot write to standard output".into())
    }

    /// How often the same may be asked.
    pub(super) fn tries(&self) -> usize {
        if self.patient && !self.silent { TRIES } else { 1 }
    }

    /// Asks until the answer will do. The end of the input is an Enter.
    pub(super) fn ask(&mut self, question: &Question) -> Result<String> {
        if let Some(given) = question.given {
            return (question.check)(given);
        }
        for left in (0..self.tries()).rev() {
            match self.answer(question).and_then(|answer| (question.check)(&answer)) {
                Err(error) if left > 0 && error.kind() == crate::error::Kind::Usage => {
                    let hints: String =
                        error.hints().iter().map(|hint| format!("  hint: {hint}\n")).collect();
                    self.say(&format!("{error}\n{hints}"))?;
                }
                result => return result,
            }
        }
        Err(usage("no answer was given"))
    }

    fn answer(&mut self, question: &Question) -> Result<String> {
        let mut line = Vec::new();
        if !self.silent {
            let default = question.default.filter(|default| !default.is_empty());
            let default = default.map(|default| format!(" [{default}]")).unwrap_or_default();
            self.say(&format!("{}{default}\n> ", question.text))?;
            let unseen = (question.hidden && self.patient).then(Unseen::new);
            let read = self.input.by_ref().take(LONGEST).read_until(b'\n', &mut line);
            if unseen.is_some() {
                self.say("\n")?;
            }
            drop(unseen);
            read.context(|| "cannot read the answer".into())?;
            if !self.patient && !question.hidden {
                // What was piped in is not seen otherwise.
                self.say(&format!("{}\n", crate::entry::show(line.trim_ascii())))?;
            }
        }
        let line = String::from_utf8(line).map_err(|_| usage("the answer is not UTF-8"))?;
        match (line.trim(), question.default) {
            ("", Some(default)) => Ok(default.to_owned()),
            ("", None) => {
                let error = usage(format!("no answer to: {}", question.text));
                Err(match question.flag {
                    "" => error,
                    flag => error.hint(format!("give it as {flag} ...")),
                })
            }
            (answer, _) => Ok(answer.to_owned()),
        }
    }
}

/// What is typed is not shown while this lives.
struct Unseen;

/// How the terminal was before.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

impl Unseen {
    fn new() -> Self {
        restore_when_killed();
        let before = tcgetattr(std::io::stdin()).ok();
        lock(&BEFORE).clone_from(&before);
        if let Some(mut now) = before {
            now.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &now);
        }
        Self
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        restore();
    }
}

/// Puts the terminal back; false: it is as it was.
fn restore() -> bool {
    let before = lock(&BEFORE).take();
    if let Some(before) = &before {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
    }
    before.is_some()
}

/// A terminal that stays silent after a Ctrl-C would be a bad thing to leave behind.
fn restore_when_killed() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGTERM]) else { return };
        std::thread::spawn(move || {
            for signal in signals.forever() {
                // Nothing is printed: whoever asks holds the terminal's locks.
                if restore() {
                    std::process::exit(130);
                }
                // Whoever works goes on without its terminal.
                if signal != SIGHUP {
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                }
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(input: &[u8], patient: bool, default: Option<&str>) -> (Result<String>, String) {
        let mut output = Vec::new();
        let check = |text: &str| match text {
            "bad" => Err(usage("bad will not do").hint("good")),
            text => Ok(text.to_uppercase()),
        };
        let question =
            Question { text: "Which?", default, flag: "--which", given: None, hidden: false, check: &check };
        let answer = Asker::new(input, &mut output, patient, false).ask(&question);
        (answer, String::from_utf8(output).unwrap())
    }

    #[test]
    fn answers_defaults_and_the_end_of_the_input() {
        let endless = [b'x'; 100_000];
        for (input, patient, default, expected) in [
            (b" a b \r\n".as_slice(), false, None, Some("A B")),
            (b"\n", false, Some("d"), Some("D")),
            (b"", false, Some("d"), Some("D")),
            (b"a", false, None, Some("A")),
            (b"", true, None, None),
            (b"bad\na\n", true, None, Some("A")),
            (b"bad\na\n", false, None, None),
            (b"bad\nbad\nbad\na\n", true, None, None),
            (b"\xff\n", false, Some("d"), None),
        ] {
            assert_eq!(ask(input, patient, default).0.ok().as_deref(), expected, "{input:?}");
        }
        assert_eq!(ask(&endless, false, None).0.ok().map(|text| text.len() as u64), Some(LONGEST));
        let (_, seen) = ask(b"bad\n\n", true, Some("d"));
        assert_eq!(seen, "Which? [d]\n> bad will not do\n  hint: good\nWhich? [d]\n> ");
        let (error, _) = ask(b"", false, None);
        assert_eq!(error.unwrap_err().hints(), ["give it as --which ..."]);
    }

    #[test]
    fn what_a_flag_says_is_not_asked_but_checked() {
        let mut output = Vec::new();
        let mut asker = Asker::new(b"".as_slice(), &mut output, false, true);
        let check = |text: &str| if text == "bad" { Err(usage("no")) } else { Ok(text.to_owned()) };
        let question = |given| Question {
            text: "?",
            default: Some("d"),
            flag: "--x",
            given,
            hidden: false,
            check: &check,
        };
        assert_eq!(asker.ask(&question(Some("x"))).ok().as_deref(), Some("x"));
        assert!(asker.ask(&question(Some("bad"))).is_err());
        assert_eq!(asker.ask(&question(None)).ok().as_deref(), Some("d"));
        assert_eq!(output, b"");
    }
}
