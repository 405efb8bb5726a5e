//! Flags, where the server does not tell which changed: all of a folder are looked at, now and then.

use jiff::{SignedDuration, Timestamp};

use super::ends_all;
use super::folder::{View, Work};
use crate::archive::source::{Mark, Source};
use crate::error::Result;
use crate::state::catalogue::Catalogue;

/// How many messages a folder may have of which all flags are looked at whenever it has news.
const FEW: u32 = 10_000;

/// How often they are looked at otherwise. It is less than a day, for a run that is done once a day at the same time.
const LOOK: SignedDuration = SignedDuration::from_hours(20);

/// Whether all flags are to be looked at again.
pub(super) fn is_due(looked: Option<Timestamp>, now: Timestamp) -> bool {
    // A clock that was set back makes nobody wait.
    looked.is_none_or(|looked| !(SignedDuration::ZERO..LOOK).contains(&now.duration_since(looked)))
}

impl View<'_> {
    /// Where nothing tells whose flags changed, all of them are looked at: of a large folder, and of one without other
    /// news, once a day. When that was last.
    pub(super) fn look_at_flags(
        &self,
        source: &mut dyn Source,
        catalogue: &Catalogue,
        before: u32,
        (then, now): (Mark, Mark),
        work: &mut Work,
    ) -> Result<Option<Timestamp>> {
        let looked = self.known.mark.and_then(|mark| mark.looked);
        // From the first HIGHESTMODSEQ on the server tells; what changed until then it does not.
        let first = then.mod_seq.is_none() && now.mod_seq.is_some();
        let tells = then.mod_seq.is_some() && now.mod_seq.is_some();
        if tells || !(first || now.messages <= FEW || is_due(looked, self.now)) {
            return Ok(looked);
        }
        // Whether the catalogue is the one that fails.
        let mut ours = false;
        let told = source.flags(self.folder, before, &mut |some| {
            let known = catalogue.known(self.known.id, some.iter().map(|listed| listed.key.as_str()));
            ours = known.is_err();
            let known = known?;
            for (mut listed, message) in some.into_iter().zip(known) {
                if let Some(message) = message {
                    // Nobody asked for them.
                    listed.labels.clone_from(&message.facts.labels);
                    work.touched.extend(self.touched(&listed, message));
                }
            }
            Ok(())
        });
        match told {
            Ok(told) => Ok(if told { Some(self.now) } else { looked }),
            Err(error) if ours || ends_all(&error) => Err(error),
            // What is new comes all the same.
            Err(error) => {
                work.untold = Some(error.one_line());
                Ok(looked)
            }
        }
    }
}
