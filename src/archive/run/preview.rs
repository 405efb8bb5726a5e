//! What an archive would look at, without fetching and without a trace.

use super::Request;
use super::folder::place;
use crate::archive::folders::{Patterns, Unmatched};
use crate::archive::source::Since;
use crate::error::{Error, Result};
use crate::profile::MailPlace;
use crate::state::catalogue::Catalogue;

/// What there is in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it is.
    pub source: MailPlace,
    /// Its path.
    pub folder: String,
    /// How many messages are in it.
    pub messages: u64,
    /// How many of it are in the archive; those that went away since are among them.
    pub archived: u64,
}

/// What there is to archive.
#[derive(Debug, Default)]
pub struct Preview {
    /// The folders that the profile wants.
    pub folders: Vec<Seen>,
    /// Patterns that match no folder.
    pub unmatched: Vec<(MailPlace, Unmatched)>,
    /// Folders that cannot be looked at, and why.
    pub broken: Vec<(MailPlace, String, Error)>,
}

impl Request<'_> {
    /// Looks at the folders of all sources. `known` is the catalogue of the first vault, if there is one.
    ///
    /// # Errors
    /// A source cannot be looked at.
    pub fn preview(&self, known: Option<&Catalogue>) -> Result<Preview> {
        let mut preview = Preview::default();
        let stored = known.map(Catalogue::folders).transpose()?.unwrap_or_default();
        for mail in &self.job.sources {
            let mut source = self.places.source(mail)?;
            let mut choice = Patterns::new(&self.job.folders).choose(source.folders()?);
            choice.taken.sort_by(|a, b| (a.path != "INBOX", &a.path).cmp(&(b.path != "INBOX", &b.path)));
            for folder in choice.taken {
                let messages = match folder.mark {
                    Some(mark) => u64::from(mark.messages),
                    None => match source.list(&folder, Since::default()) {
                        Ok(listing) => listing.messages.len() as u64,
                        Err(error) if source.comes_back() => {
                            preview.broken.push((mail.clone(), folder.path, error));
                            continue;
                        }
                        Err(error) => return Err(error),
                    },
                };
                let directory = place(&mail.name(), &folder);
                let archived = stored.iter().find(|known| known.directory == directory);
                preview.folders.push(Seen {
                    source: mail.clone(),
                    folder: folder.path,
                    messages,
                    archived: archived.map_or(0, |known| known.stored),
                });
            }
            preview.unmatched.extend(choice.unmatched.into_iter().map(|one| (mail.clone(), one)));
        }
        Ok(preview)
    }
}
