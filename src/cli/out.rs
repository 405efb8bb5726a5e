//! Standard output and standard error, either of which may be closed or full: a pipe into `head`, a log file on a
//! full disk. `print!` and its kin panic then, so no verb uses them.

use std::io::{self, BufWriter, ErrorKind, Write};

use crate::error::{Context as _, Result};

/// Writes what was asked for to standard output. Who closed the pipe has read enough: that is no error, and
/// `content` hears of it by an error so that it ends early.
pub(super) fn write(content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match content(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context(|| "cannot write to standard output".into()),
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
