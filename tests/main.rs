//! The tests from outside, by capability. They drive the built binary, or the library as a program of one's own would.

mod common;
mod crash;
mod edges;
mod first_run;
mod histories;
mod hostile;
mod layers;
mod mirror;
mod properties;
mod reports;
mod samples;
mod verbs;
mod zoo;
