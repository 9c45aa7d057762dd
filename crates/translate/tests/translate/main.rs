//! Engines against a server on this machine that checks requests as the real ones do, and whole
//! jobs with faults. Never here: the real services.

#[path = "../server/mod.rs"]
mod server;

#[cfg(unix)]
mod command;
mod engines;
mod faults;
mod jobs;
mod setup;
