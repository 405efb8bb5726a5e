//! The tests from outside, by capability. They drive the built binary, or the library as a program of one's own would.

mod agent;
mod agent_verbs;
mod backup_profiles;
mod common;
mod crash;
mod delivery;
mod edges;
mod first_run;
mod histories;
mod hooks;
mod hostile;
mod imap;
mod lab;
mod layers;
mod mirror;
mod outbox;
mod properties;
mod reports;
mod samples;
mod save;
mod service;
mod smtp;
mod stores;
mod vaults;
mod verbs;
mod zoo;
