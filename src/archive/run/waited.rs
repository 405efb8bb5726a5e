//! Messages that were refused, and how long they are waited for when they are not listed any more.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::folder::View;
use crate::archive::source::{Listed, Mark};
use crate::error::Result;
use crate::state::catalogue::{Catalogue, Quarantined};

/// How long they are waited for. One listing without them proves nothing: of several servers one may lag behind, and what
/// was seen of the folder before is not asked for again. It is less than a day, for a run that is done once a day.
const WAIT: SignedDuration = SignedDuration::from_hours(20);

impl View<'_> {
    /// Lets those go that are known now, or not wanted any more, or gone for good. Of the messages that `waited` in
    /// quarantine, the listing named none of `unlisted`, and `fresh` are asked for again.
    ///
    /// # Errors
    /// The catalogue cannot be written.
    pub(super) fn let_go(
        &self,
        catalogue: &Catalogue,
        waited: &[Quarantined],
        unlisted: &HashSet<&str>,
        fresh: &[Listed],
        mark: Mark,
    ) -> Result<()> {
        let mut waited: HashMap<&str, &Quarantined> =
            waited.iter().map(|message| (message.key.as_str(), message)).collect();
        for listed in fresh {
            if let Some(message) = waited.remove(listed.key.as_str())
                && message.missing.is_some()
            {
                catalogue.miss(self.known.id, &message.key, None)?;
            }
        }
        for (key, message) in waited {
            if !unlisted.contains(key) || !self.hides(key, mark) || self.is_gone(message.missing) {
                catalogue.release(self.known.id, key)?;
            } else if message.missing.is_none_or(|since| since > self.now) {
                catalogue.miss(self.known.id, key, Some(self.now))?;
            }
        }
        Ok(())
    }

    /// Whether a folder that was seen as far as this mark is not asked for the message any more. Where a folder is always
    /// listed as a whole it needs no quarantine to be found again.
    fn hides(&self, key: &str, mark: Mark) -> bool {
        self.folder.mark.is_some()
            && key.split_once('.').is_some_and(|(of, _)| of == mark.validity.to_string())
    }

    fn is_gone(&self, missing: Option<Timestamp>) -> bool {
        missing.is_some_and(|since| self.now.duration_since(since) >= WAIT)
    }
}
