//! Messages that a folder has already under other keys: their keys became void, and each is to be known again by its
//! content.

use std::collections::{HashMap, HashSet};

use super::job::{Touched, is_mute};
use crate::archive::source::Listed;
use crate::error::Result;
use crate::state::catalogue::{Catalogue, Content, Folder, FolderId, MessageId};

/// The folders whose keys became void, by their places. Each message is found once: two equal messages stay two.
#[derive(Debug, Default)]
pub(super) struct Same {
    /// Looks into the catalogue while another thread has it.
    catalogue: Option<Catalogue>,
    folders: HashMap<usize, Known>,
}

/// What is known of one of them.
#[derive(Debug)]
struct Known {
    folder: FolderId,
    /// Where its messages lie.
    directory: String,
    /// The last message that was there when it was listed: those that come after it are no others' doubles.
    last: MessageId,
    /// Messages that are listed under a key that is known, or were found.
    taken: HashSet<MessageId>,
}

impl Same {
    /// From now on messages of this folder are looked for, but for those that are `taken`.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn look_in(
        &mut self,
        at: usize,
        folder: &Folder,
        taken: HashSet<MessageId>,
        catalogue: &Catalogue,
    ) -> Result<()> {
        if self.catalogue.is_none() {
            self.catalogue = Some(catalogue.reader()?);
        }
        let (folder, directory) = (folder.id, folder.directory.clone());
        self.folders.insert(at, Known { folder, directory, last: catalogue.last()?, taken });
        Ok(())
    }

    /// Finds one with this content.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn take(
        &mut self,
        at: usize,
        sha256: [u8; 32],
        size: u64,
        message_id: Option<&str>,
    ) -> Result<Option<MessageId>> {
        let (Some(known), Some(catalogue)) = (self.folders.get_mut(&at), &self.catalogue) else {
            return Ok(None);
        };
        let content = Content { folder: known.folder, last: known.last, sha256, size, message_id };
        let equal = catalogue.equal(&content)?;
        Ok(equal.into_iter().find(|message| known.taken.insert(*message)))
    }

    /// What is to be done for one that was found, since its flags or labels are other ones now.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn touched(
        &self,
        at: usize,
        message: MessageId,
        listed: &Listed,
        labels: bool,
    ) -> Result<Option<Touched>> {
        let (Some(known), Some(catalogue)) = (self.folders.get(&at), &self.catalogue) else {
            return Ok(None);
        };
        if is_mute(listed) {
            return Ok(None);
        }
        let message = catalogue.message(message)?;
        Ok(message.and_then(|message| Touched::by(listed, message, &known.directory, labels)))
    }
}
