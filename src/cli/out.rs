//! Standard output and standard error, either of which may be closed or full: a pipe into `head`, a log file on a
//! full disk. `print!` and its kin panic then, so no verb uses them.

use std::io::{self, BufWriter, ErrorKind, Write};

use crate::error::{Context as _, Error, Result};

/// Writes what was asked for to standard output. Who closed the pipe has read enough: that is no error, and
/// `content` hears of it by an error so that it ends early. An error of ours that `content` ends with is of what was to be
/// written, and stays what it is.
pub(super) fn write(content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    write_to(BufWriter::new(io::stdout().lock()), content)
}

fn write_to(mut out: impl Write, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let Err(error) = content(&mut out).and_then(|()| out.flush()) else { return Ok(()) };
    if error.kind() == ErrorKind::BrokenPipe {
        return Ok(());
    }
    match error.downcast::<Error>() {
        Ok(ours) => Err(ours),
        Err(error) => Err(error).context(|| "cannot write to standard output".into()),
    }
}

/// Writes a text that was asked for to standard output.
pub(super) fn print(text: &str) -> Result<()> {
    write(|out| out.write_all(text.as_bytes()))
}

/// Says a line on standard output in passing: whether anybody hears it must not matter to a run.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Says a line on standard error, likewise.
pub(super) fn warn(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn what_cannot_be_read_is_not_said_of_standard_output() {
        let said = |error: io::Error| write_to(Vec::new(), |_| Err(error)).err();
        let paused = Error::new(Kind::Paused, "cannot list what is archived").hint("later");
        let ended = said(io::Error::other(paused)).unwrap();
        assert_eq!((ended.kind(), ended.exit_code()), (Kind::Paused, 3));
        assert_eq!(
            (ended.one_line().as_str(), ended.hints()),
            ("cannot list what is archived", &["later".to_owned()][..])
        );
        let full = said(ErrorKind::StorageFull.into()).unwrap();
        assert!(full.kind() == Kind::Other && full.one_line().contains("standard output"), "{full:?}");
        assert!(said(ErrorKind::BrokenPipe.into()).is_none());
    }
}
