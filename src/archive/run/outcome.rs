//! What an archive comes to: one outcome, as good as the worst of its sources and vaults.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use super::Request;
use crate::archive::folders::Unmatched;
use crate::archive::rebuild::Rebuilt;
use crate::archive::source::Unnamed;
use crate::entry::show;
use crate::error::{Error, Kind, Result};
use crate::failures::{Failures, said};
use crate::figures::of;
use crate::journal::LogLine;
use crate::profile::{MailPlace, VaultPlace};
use crate::run::{Counts, Kept, Message, Outcome, Severity, Status};
use crate::vault::several::{both, concluded, paused};

/// The outcome as far as it is known.
pub(super) struct Sum<'a> {
    request: &'a Request<'a>,
    outcome: Outcome,
    failures: Failures,
    /// What has a failure already: every vault is told of the same message.
    told: HashSet<(String, String)>,
    failed: Vec<Message>,
    /// Folders of the vault at hand whose list of entries is known to be lost: what was in them is asked for again.
    pub lost: HashSet<PathBuf>,
    /// Of the vault at hand.
    pub counts: Counts,
    /// The sources that paused, and those of which something came into any vault.
    paused: BTreeSet<String>,
    gave: BTreeSet<String>,
}

impl<'a> Sum<'a> {
    /// Of a run that begins.
    pub fn new(request: &'a Request<'a>) -> Self {
        Self {
            request,
            outcome: Outcome::new(Status::Ok),
            failures: Failures::default(),
            told: HashSet::new(),
            failed: Vec::new(),
            lost: HashSet::new(),
            counts: Counts::default(),
            paused: BTreeSet::new(),
            gave: BTreeSet::new(),
        }
    }

    /// What is worth knowing and needs no action.
    pub fn notes(&mut self, notes: Vec<String>) {
        for note in notes {
            if !self.outcome.notes.contains(&note) {
                self.outcome.notes.push(note);
            }
        }
    }

    /// Something that did not go as asked, with a path such as `gmail/INBOX`.
    pub fn failure(&mut self, severity: Severity, path: &str, cause: &str, hint: Option<&str>) {
        let failure = said(severity, &show(path.as_bytes()), cause, hint);
        if self.told.insert((failure.path.clone(), failure.cause.clone())) {
            self.request.journal.line(&LogLine::of(&failure));
            self.failures.add(failure);
        }
    }

    /// Folders of the archive lost so many messages.
    pub fn missing(&mut self, missing: &[(String, u64)]) {
        for (folder, messages) in missing {
            let cause = format!(
                "{} that were archived are not in the vault any more",
                of(*messages, "message", "messages")
            );
            let hint =
                "what is still at the source is archived again; for the rest look for a copy of the vault";
            self.failure(Severity::Error, folder, &cause, Some(hint));
        }
    }

    /// What is known of the archive was read from the vault. `told` says whether it is told already what is not there any
    /// more.
    pub fn rebuilt(&mut self, rebuilt: &Rebuilt, told: bool) {
        let note = format!("{} were recognised in the vault", of(rebuilt.messages, "message", "messages"));
        self.notes(vec![note]);
        if rebuilt.damaged > 0 && !told {
            let cause =
                format!("the vault lost the content of {}", of(rebuilt.damaged, "message", "messages"));
            let hint =
                "what is still on the server is archived again; `postkeep verify` says what else is lost";
            self.failure(Severity::Warning, "/", &cause, Some(hint));
        }
        self.lost.extend(rebuilt.lost.iter().map(PathBuf::from));
        for lost in &rebuilt.lost {
            let cause = "the vault lost the list of what is in this folder of the archive";
            let hint =
                "what is still on the server was archived again; `postkeep verify` says what else is lost";
            self.failure(Severity::Warning, lost, cause, Some(hint));
        }
    }

    /// Whether something is missing in the archive that should be there.
    pub fn has_errors(&self) -> bool {
        self.failures.errors > 0 || self.request.meter.is_cancelled()
    }

    /// Something came from a source, or something of it was looked at for good.
    pub fn moved(&mut self, mail: &MailPlace) {
        self.gave.insert(mail.to_string());
    }

    /// A source, or the rest of it, could not be read.
    pub fn unreached(&mut self, mail: &MailPlace, error: &Error) {
        match error.kind() {
            Kind::Cancelled => {}
            _ if self.request.meter.is_cancelled() => {}
            Kind::Paused => {
                self.paused.insert(mail.to_string());
                self.stopped(&mail.name(), &mail.to_string(), error);
            }
            _ => {
                let hint = error.hints().join("; ");
                let hint = (!hint.is_empty()).then_some(hint);
                self.failure(Severity::Error, &mail.to_string(), &error.one_line(), hint.as_deref());
            }
        }
    }

    /// A pattern matches no folder.
    pub fn unmatched(&mut self, mail: &MailPlace, unmatched: &Unmatched, labels: bool) {
        let pattern = &unmatched.pattern;
        if unmatched.excludes {
            return;
        }
        let cause = format!("no folder matches {pattern}");
        self.failure(Severity::Warning, &mail.to_string(), &cause, Some(unmatched.hint(labels)));
    }

    /// Something in a mailbox cannot be asked for.
    pub fn unnamed(&mut self, mail: &MailPlace, unnamed: Vec<Unnamed>) {
        for Unnamed { folder, message, cause, hint } in unnamed {
            let path: Vec<_> = [mail.name(), folder].into_iter().chain(message).collect();
            self.failure(Severity::Warning, &path.join("/"), &cause, Some(hint));
        }
    }

    /// How much there is in the vault at hand.
    pub fn total(&mut self, messages: u64, bytes: u64) {
        (self.counts.files, self.counts.bytes) = (messages, bytes);
    }

    /// A vault is done with.
    pub fn vault(&mut self, place: &VaultPlace, mut kept: Kept, done: Result<()>) {
        self.lost.clear();
        let (now, all) = (std::mem::take(&mut self.counts), &mut self.outcome.counts);
        *all = Counts {
            files: all.files.max(now.files),
            folders: all.folders.max(now.folders),
            bytes: all.bytes.max(now.bytes),
            created: all.created.max(now.created),
            updated: all.updated.max(now.updated),
            copied_bytes: all.copied_bytes.max(now.copied_bytes),
            excluded: all.excluded.max(now.excluded),
            messages: true,
            ..*all
        };
        if let Err(error) = done {
            match error.kind() {
                Kind::Cancelled => {}
                _ if self.request.meter.is_cancelled() => {}
                Kind::Paused => {
                    let account = match place {
                        VaultPlace::Mailbox { account, .. } => account.clone(),
                        _ => String::new(),
                    };
                    self.stopped(&account, &place.to_string(), &error);
                }
                _ => {
                    let message = Message::from(&error);
                    kept.error = Some(message.text.clone());
                    self.request.journal.line(&LogLine {
                        op: crate::journal::Op::Failed,
                        bytes: 0,
                        path: &kept.vault,
                        note: &error.one_line(),
                    });
                    self.failed.push(message);
                }
            }
        }
        self.outcome.vaults.push(kept);
    }

    /// A provider's limit stopped a source or a vault.
    fn stopped(&mut self, account: &str, place: &str, error: &Error) {
        let pause = paused(self.request.places.pause(account), place, error, self.request.now);
        self.outcome.paused = Some(both(self.outcome.paused.take(), pause));
    }

    /// The outcome.
    pub fn outcome(mut self) -> Outcome {
        if let Some(paused) = &mut self.outcome.paused {
            paused.idle = self.paused.difference(&self.gave).next().is_some();
        }
        concluded(self.outcome, self.failures, self.failed, self.request.meter.is_cancelled())
    }
}
