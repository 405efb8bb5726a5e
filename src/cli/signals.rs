//! Ctrl-C and SIGTERM: the run stops after the file at hand and is recorded; a second one ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::error::{Context, Result};
use crate::progress::{Meter, Reason};

/// How soon a run hears of a signal.
const LOOK: Duration = Duration::from_millis(50);

/// Cancels the run that counts into `meter` when the process is asked to end.
pub(super) fn cancel(meter: &Arc<Meter>) -> Result<()> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let failed = || "cannot listen for signals".into();
        // In this order: the first signal finds the flag unset and sets it, the second finds it set.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&asked)).context(failed)?;
        signal_hook::flag::register(signal, Arc::clone(&asked)).context(failed)?;
    }
    let meter = Arc::downgrade(meter);
    std::thread::spawn(move || {
        while let Some(meter) = meter.upgrade() {
            if asked.load(Relaxed) {
                meter.cancel(Reason::Person);
                return;
            }
            drop(meter);
            std::thread::sleep(LOOK);
        }
    });
    Ok(())
}
