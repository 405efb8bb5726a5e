//! The background process: how it is kept alive, and what it says of itself.

pub mod journal;
pub mod unit;
