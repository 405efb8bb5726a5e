//! A piece of work with a vault, whose progress is shown.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::Context;
use super::progress::Shown;
use crate::progress::{Event, Listener as _, Meter, Phase};
use crate::vault::store::Store;

/// How often the progress is shown.
const TICK: Duration = Duration::from_millis(200);

/// Shows how far `work` is, under the name `what`, until it is done. Where it is to stop, the vault's store waits for nothing
/// any more.
pub(super) fn watched<T>(
    ctx: &Context,
    what: &str,
    (meter, store): (&Meter, &dyn Store),
    work: impl FnOnce() -> T,
) -> T {
    let shown = Shown::new(ctx);
    shown.event(&Event::Started { profile: what.into() });
    shown.event(&Event::Phase(Phase::Working));
    let (done, wait) = channel::<()>();
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            let wait = wait;
            while wait.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                shown.event(&Event::Tick(meter.snapshot()));
                if meter.is_cancelled() {
                    store.hurry();
                }
            }
        });
        let result = work();
        drop(done);
        result
    });
    shown.clear();
    result
}
