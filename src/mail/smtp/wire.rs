//! A line to one account that stays open from letter to letter: fifty letters after an outage are one login.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use lettre::transport::smtp::commands::{Quit, Rset};
use tokio::runtime::Runtime;

use super::connect::Session;
use super::{converse, explain, open};
use crate::error::Error;
use crate::mail::secret::Secret;
use crate::mail::{Answer, Fault, FaultKind, Parcel};
use crate::profile::Smtp;

/// How long we wait for a goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// A line to an account. It is opened by the first letter, and says goodbye when it is dropped.
#[derive(Default)]
pub struct Wire {
    runtime: Option<Runtime>,
    session: Option<Session>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wire({})", if self.session.is_some() { "open" } else { "closed" })
    }
}

impl Wire {
    /// Sends a letter: one answer for each recipient, in their order. `hello` is this machine's name.
    ///
    /// # Errors
    /// Nobody got it, for a reason that is not about one recipient.
    pub fn send(
        &mut self,
        account: &Smtp,
        secret: Option<&Secret>,
        parcel: &Parcel<'_>,
        hello: &str,
        deadline: Duration,
    ) -> Result<Vec<Answer>, Fault> {
        let mut kept = self.session.take();
        let result = self.within(account, deadline, async {
            if let Some(session) = &mut kept {
                // A server may have hung up meanwhile, or be tired of us. Nothing of this letter has been said yet.
                if session.conn.command(Rset).await.is_ok() {
                    match converse(account, session, parcel).await {
                        Err(fault) if fault.kind == FaultKind::Down => {}
                        result => return result,
                    }
                }
                kept = None;
            }
            let mut session = open(account, secret, hello, &mut Vec::new()).await?;
            let result = converse(account, &mut session, parcel).await;
            kept = Some(session);
            result
        });
        let sound = match &result {
            Ok(_) => true,
            Err(fault) => fault.kind == FaultKind::TooLarge,
        };
        self.session = kept.filter(|session| sound && !session.broken);
        result
    }

    /// Runs a conversation with one deadline over all of it. To drop the conversation closes its socket.
    pub(super) fn within<T>(
        &mut self,
        account: &Smtp,
        deadline: Duration,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|cause| Fault::down(Error::other("cannot set up the network").caused_by(cause)))?,
        };
        // A library that stumbles over what a server says must not take the process along.
        let run = || runtime.block_on(async { tokio::time::timeout(deadline, work).await });
        match std::panic::catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(result)) => {
                self.runtime = Some(runtime);
                return result;
            }
            // A name that is still being looked up would hold us up here.
            Ok(Err(_)) => runtime.shutdown_background(),
            Err(_) => {
                runtime.shutdown_background();
                return Err(Fault::down(explain::broken(account, "what it says cannot be understood")));
            }
        }
        Err(Fault::down(explain::deadline(account, deadline.as_secs())))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if let Some(session) = &mut self.session {
            let goodbye = async { tokio::time::timeout(GOODBYE, session.conn.command(Quit)).await };
            drop(std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(goodbye))));
        }
        // The socket belongs to the runtime: it goes first.
        self.session = None;
        runtime.shutdown_background();
    }
}
