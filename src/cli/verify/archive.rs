//! `postkeep verify` of an archive: its messages one by one, and some of them compared with their mailboxes.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::super::watched::watched;
use super::super::which::Chosen;
use super::super::{Context, config, usage};
use crate::agent;
use crate::archive::read::{Archive, choose};
use crate::archive::verify::{Look, Looked, Server};
use crate::error::Result;
use crate::figures::{count, of};
use crate::profile::{ArchiveJob, Job, MailPlace};
use crate::progress::Meter;
use crate::vault::Vault;
use crate::vault::verify::{Depth, MOST, Problem, Verified, Weight};

/// How many messages are compared with their mailboxes if nothing else is said.
const SAMPLE: usize = 20;

/// How many messages were looked at.
pub(super) struct Mail {
    /// Read, and found to be what was archived.
    pub read: u64,
    /// Compared with what a mailbox gives.
    pub compared: u64,
    /// Whether they were to be read, and to be compared.
    asked: (bool, bool),
}

impl Mail {
    /// It in words, such as `1,204 messages as they were archived, 20 compared with their mailbox`.
    pub(super) fn words(&self) -> String {
        let read = self.asked.0.then(|| of(self.read, "message", "messages") + " as archived");
        let compared = self.asked.1.then(|| count(self.compared) + " compared with the mailbox");
        [read, compared].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Looks at the messages of the newest snapshot, as far as that is asked, and adds what is wrong. None: nothing is asked.
///
/// # Errors
/// It is no archive and a sample is asked for; or what is to be looked at cannot be found out.
pub(super) fn look(
    sample: Option<usize>,
    depth: Depth,
    ctx: &Context,
    (chosen, vault): (&Chosen, &Vault),
    meter: &Arc<Meter>,
    verified: &mut Verified,
) -> Result<Option<Mail>> {
    let Some((name, Job::Archive(job))) = &chosen.profile else {
        return match sample {
            None => Ok(None),
            Some(_) => {
                Err(usage("--sample is for archives of mail alone").hint("name the profile of an archive"))
            }
        };
    };
    let read = depth == Depth::Data(100.0);
    let sample = sample.unwrap_or(if read { SAMPLE } else { 0 });
    if (!read && sample == 0) || verified.cancelled || verified.stopped.is_some() {
        return Ok(None);
    }
    let all = vault.readable_snapshots()?;
    if !all.all.iter().any(|snapshot| snapshot.label == *name) {
        return Ok(None);
    }
    let snapshot = match choose(&all, "latest", &chosen.scope(), &TimeZone::system()) {
        // Which one is the newest nobody knows: the look at the vault has told why.
        Err(_) if verified.damaged > 0 => return Ok(None),
        chosen => chosen?,
    };
    let (mut servers, away) = if sample > 0 { servers(name, job, ctx, meter)? } else { Default::default() };
    let asked = (read, !servers.is_empty());
    let mut chance = [0; 32];
    // Without chance it is the same sample each time.
    let _ = rustix::rand::getrandom(&mut chance, rustix::rand::GetRandomFlags::empty());
    let look = Look { read, sound: &verified.sound, sample, chance, meter };
    meter.reset();
    meter.of_messages(true);
    let looked = watched(ctx, "verify", (meter, vault.store()), || {
        look.at(&Archive::of(&vault.read()?, &snapshot), &mut servers)
    })?;
    let mail = Mail { read: looked.read, compared: looked.compared, asked };
    add(looked, away, verified);
    verified.cancelled |= meter.is_cancelled();
    Ok(Some(mail))
}

/// The mailboxes that can be asked, and what is to be said of the others.
fn servers(
    name: &str,
    job: &ArchiveJob,
    ctx: &Context,
    meter: &Meter,
) -> Result<(Vec<Server>, Vec<Problem>)> {
    let (config, _) = config::load_some(ctx, &[name.to_owned()])?;
    let (mut there, mut away) = (Vec::new(), Vec::new());
    let profile = config.profiles.first();
    for place in job.sources.iter().filter(|place| matches!(place, MailPlace::Imap(_))) {
        let Some(profile) = profile else { continue };
        let source = agent::messages(&ctx.state_dir, &config, (profile, job), place, meter);
        match source.and_then(|source| Server::look(place.name(), source)) {
            Ok(server) => there.push(server),
            Err(error) => away.push(Problem {
                weight: Weight::Note,
                what: format!("no message was compared with {place}: {}", error.one_line()),
                todo: "nothing for the archive; `postkeep account test ACCOUNT` tells more of the mailbox"
                    .into(),
            }),
        }
    }
    Ok((there, away))
}

/// Adds what was found to what the look at the vault has found. What is damaged there is told by it already.
fn add(looked: Looked, away: Vec<Problem>, verified: &mut Verified) {
    verified.damaged += looked.damaged;
    verified.problems.extend(looked.problems.into_iter().chain(away));
    verified.problems.sort_by_key(|problem| std::cmp::Reverse(problem.weight));
    verified.problems.truncate(MOST);
    verified.stopped = verified.stopped.take().or(looked.stopped);
}
