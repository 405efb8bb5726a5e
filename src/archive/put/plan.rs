//! What putting would do, before anything is done.

use std::collections::BTreeMap;

use super::Putting;
use super::identity::Identity;
use crate::archive::stored::Stored;
use crate::error::{Kind, Result};

/// What a folder would get.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    /// Messages to be put, and their bytes.
    pub put: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Messages that are there.
    pub present: u64,
    /// Whether the folder is there.
    pub exists: bool,
    /// Why nothing can be put there.
    pub problem: Option<String>,
}

impl Putting<'_> {
    /// What [`Putting::put`] would do with these, by folder of the target. Nothing is changed, and no message is read:
    /// where a Message-ID, a size and a date do not tell, what comes near counts as the same message. Plan with one `Putting`, and put with another.
    ///
    /// # Errors
    /// The target cannot be reached, or refuses to be looked at.
    pub fn plan(&mut self, messages: &[Stored]) -> Result<BTreeMap<String, Planned>> {
        let mut plan: BTreeMap<String, Planned> = BTreeMap::new();
        for (folder, messages) in self.by_folder(messages)? {
            let known = match self.open(&folder, false) {
                Ok(known) => known,
                Err(error) if error.kind() == Kind::Usage => {
                    plan.entry(folder).or_default().problem = Some(error.one_line());
                    continue;
                }
                Err(error) => return Err(error),
            };
            let planned = plan.entry(known.path.clone()).or_default();
            planned.exists = known.exists;
            let mut unclear = Vec::new();
            for (_, message) in messages {
                let ours = Identity::of(message);
                match known.there.take_exact(&ours) {
                    true => planned.present += 1,
                    false => unclear.push((message.size, ours)),
                }
            }
            for (size, ours) in unclear {
                match known.there.take_alike(&ours) {
                    true => planned.present += 1,
                    false => {
                        planned.put += 1;
                        planned.bytes += size;
                    }
                }
            }
        }
        Ok(plan)
    }
}
