//! Signals become events. A second wish to end is not waited for.

use std::sync::mpsc::Sender;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::event::{Event, Signal};
use crate::error::{Context, Result};

/// Listens from now on.
pub(super) fn listen(events: Sender<Event>) -> Result<()> {
    let failed = || "cannot listen for signals".into();
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context(failed)?;
    let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
        let mut asked = false;
        for signal in signals.forever() {
            let event = if signal == SIGHUP { Signal::Reload } else { Signal::Stop };
            if event == Signal::Stop && std::mem::replace(&mut asked, true) {
                // What is not recorded is recorded as interrupted by the next start.
                std::process::exit(130);
            }
            if events.send(Event::Signal(event)).is_err() {
                return;
            }
        }
    });
    thread.map(drop).context(failed)
}
