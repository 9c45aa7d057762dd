//! Imports: every format gives the same files, what is wrong is named with its place, nothing
//! is left half done.

mod conversations;
mod formats;
mod joins;
mod place;
mod presets;
mod refusals;
mod samples;
mod structs;
