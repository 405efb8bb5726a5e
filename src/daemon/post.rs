//! Empties the outbox in a thread of its own: a mail server that does not answer holds nothing else up.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TrySendError};
use std::time::Duration;

use super::work::Shared;
use crate::agent::{Agent, Delivery};
use crate::error::Result;

/// The one who delivers.
pub(super) struct Post {
    ring: SyncSender<Shared>,
    /// Says each time that all that could be delivered was.
    done: Receiver<()>,
}

impl Post {
    /// Begins to listen for the bell.
    pub fn new() -> std::io::Result<Self> {
        // One ring that waits is enough: whoever hears it delivers everything.
        let (ring, rings) = mpsc::sync_channel::<Shared>(1);
        let (tell, done) = mpsc::channel();
        std::thread::Builder::new().name("post".into()).spawn(move || work(&rings, &tell))?;
        Ok(Self { ring, done })
    }

    /// There is something to be delivered.
    pub fn ring(&self, shared: &Shared) {
        match self.ring.try_send(shared.clone()) {
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => {
                shared.journal.say(shared.clock.now(), "the thread that delivers letters has ended");
            }
        }
    }

    /// Delivers what can be delivered within this time.
    pub fn last_round(&self, shared: &Shared, within: Duration) {
        while self.done.try_recv().is_ok() {}
        self.ring(shared);
        let _ = self.done.recv_timeout(within);
    }
}

fn work(rings: &Receiver<Shared>, tell: &Sender<()>) {
    while let Ok(shared) = rings.recv() {
        let delivered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| deliver(&shared)));
        match delivered {
            Ok(Ok(deliveries)) => say(&shared, &deliveries),
            Ok(Err(error)) => {
                let line = format!("letters could not be delivered: {}", error.one_line());
                shared.journal.say(shared.clock.now(), &line);
            }
            Err(_) => {
                shared.journal.say(shared.clock.now(), "postkeep itself failed while it delivered letters")
            }
        }
        let _ = tell.send(());
    }
}

/// All that wait, the oldest first: were one tried alone whose time has come, it could overtake those before it.
fn deliver(shared: &Shared) -> Result<Vec<Delivery>> {
    let config = Arc::clone(&shared.config);
    Agent::open(&shared.state_dir, &config, &*shared.clock)?.deliver(true)
}

fn say(shared: &Shared, deliveries: &[Delivery]) {
    let mut waits: Vec<(String, u64)> = Vec::new();
    let tell = |line: String| shared.journal.say(shared.clock.now(), &line);
    for delivery in deliveries {
        match delivery {
            Delivery::Sent { id, account, to } => {
                tell(format!("letter {id} sent to {} by {account}", to.join(", ")));
            }
            Delivery::Filed { id, path } => tell(format!("letter {id} lies in {}", path.display())),
            Delivery::Refused { id, to, reason } => {
                tell(format!("letter {id} was refused for {}: {reason}", to.join(", ")));
            }
            Delivery::Told { id, host } => tell(format!("the webhook at {host} was told of letter {id}")),
            Delivery::Appended { id, account, .. } => {
                tell(format!("letter {id} is in the mailbox of the account {account}"));
            }
            // Of a thousand that wait for one server one line is enough.
            Delivery::Waits { reason, .. } => match waits.iter_mut().find(|(known, _)| known == reason) {
                Some((_, count)) => *count += 1,
                None => waits.push((reason.clone(), 1)),
            },
        }
    }
    for (reason, count) in waits {
        tell(format!("{}: {reason}", crate::figures::of(count, "letter waits", "letters wait")));
    }
}
