//! The archive of mail, against real servers.

mod put;
