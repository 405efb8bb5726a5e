//! Vaults: restic repositories in a folder, a Maildir or a mailbox.
//!
//! All words in here are restic's: snapshot, tree, blob, pack, index, key, prune. What a vault is kept on is a
//! [`store`]; the format itself is rustic_core's work, behind one adapter.

pub mod blob;
pub mod choice;
pub mod indexed;
pub mod node;
pub mod restore;
pub mod store;
