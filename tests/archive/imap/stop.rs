//! Whoever wants it to stop does not wait for a server, whatever that says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use postkeep::error::Kind;
use postkeep::mail::imap::Patience;

use super::*;

/// How long it may take from the wish to the end.
const SOON: Duration = Duration::from_secs(2);

/// Lines without an end.
const FLOOD: &str = "flood * 5 EXISTS";

/// Wishes it to stop a moment after the start; whether it did, as stopped and soon.
pub fn stops<T>(wish: &Arc<AtomicBool>, work: impl FnOnce() -> Result<T>) {
    let begun = Instant::now();
    let wait = Duration::from_millis(300);
    let own = Arc::clone(wish);
    let thread = std::thread::spawn(move || {
        std::thread::sleep(wait);
        own.store(true, Ordering::Relaxed);
    });
    let error = work().err().expect("it was stopped");
    assert_eq!(error.kind(), Kind::Cancelled, "{error:?}");
    assert!(begun.elapsed() < wait + SOON, "{:?}", begun.elapsed());
    thread.join().unwrap();
}

#[test]
fn whoever_wants_it_to_stop_waits_for_no_server() {
    let list = connection("C: A LIST \"\" \"*\" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))");
    let fetch = format!("{EXAMINE}\nC: A UID FETCH 1 (UID BODY.PEEK[])\nS: * 1 FETCH (UID 1 BODY[] {{999}}");
    for (text, asks_list) in [("", true), (&*list, true), (&*fetch, false)] {
        // What floods before it greets is no mail server, which is another story.
        let ends: &[_] = if text.is_empty() { &["stall", "drip"] } else { &["stall", "drip", FLOOD] };
        for &end in ends {
            let wish = Arc::<AtomicBool>::default();
            let own = Arc::clone(&wish);
            let change = |options: &mut Options| {
                options.patience = Patience::default();
                options.is_cancelled = Arc::new(move || own.load(Ordering::Relaxed));
            };
            let (mut it, script) = if asks_list {
                let script = Script::play(&format!("{text}\n{end}"));
                (mailbox(script.account(), change), script)
            } else {
                scripted_with(&format!("{text}\n{end}"), change)
            };
            stops(&wish, || match asks_list {
                true => it.imap.folders().map(drop),
                false => it.imap.fetch(&folder(), &listed(&[(1, 999)]), &mut |_, told| {
                    assert!(told.is_ok(), "it is not the message's fault: {told:?}");
                    Ok(())
                }),
            });
            drop(it);
            // One that floods may drown in what it says.
            if end != FLOOD {
                script.end();
            }
        }
    }
}
