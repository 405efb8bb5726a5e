//! Compression of blobs that are in memory as a whole.

pub mod stream;

pub use current::compression_level_range;
pub use stream::decode_all;
