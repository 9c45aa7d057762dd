//! The program as a user meets it: commands, files, messages, exit codes; that a killed run
//! goes on where it was, and that nothing changes a result which should not. With a tiny model
//! of random weights, in temporary folders. Never here: whether the numbers are right; the
//! crates' own tests compare them with reference programs.

mod adapters;
mod audit;
mod build;
mod call;
mod capture;
mod caveats;
mod chat;
mod commands;
mod disturbed;
mod experiment;
mod first_steps;
mod gate;
mod grid;
mod import;
mod inside;
mod interruption;
mod invariance;
mod lm_eval;
mod memory;
mod merge;
mod only;
mod outputs;
mod packing;
mod protocols;
mod publishing;
mod questions;
mod random;
mod recipe_keys;
mod refusals;
#[path = "../../crates/translate/tests/server/mod.rs"]
mod server;
mod sharing;
mod tasks;
mod text;
mod tiny;
mod translate;
mod translation;
