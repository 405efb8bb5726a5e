//! The background process: how it is kept alive, and what it says of itself.

pub mod client;
pub mod journal;
pub mod protocol;
pub mod unit;
