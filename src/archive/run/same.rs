//! Messages that a folder has already under other keys: its UIDs became void, and each message is to be known again.

use std::collections::HashMap;

use crate::state::catalogue::MessageId;

/// The messages of folders whose keys became void, by their content. Each is found once: two equal messages stay two.
#[derive(Debug, Default)]
pub(super) struct Same(HashMap<(usize, [u8; 32]), Vec<MessageId>>);

impl Same {
    /// Adds a message that is there.
    pub fn add(&mut self, folder: usize, sha256: [u8; 32], message: MessageId) {
        self.0.entry((folder, sha256)).or_default().push(message);
    }

    /// Finds one with this content.
    pub fn take(&mut self, folder: usize, sha256: &[u8; 32]) -> Option<MessageId> {
        self.0.get_mut(&(folder, *sha256))?.pop()
    }
}
