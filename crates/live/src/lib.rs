//! Work as it is seen from outside: what the processes in a run folder say of themselves, the page
//! `live.html` that is rewritten while they work, and a server of it for this machine alone. Never
//! here: changing a run, measuring, how long a stage takes (`run`).

#![forbid(unsafe_code)]

mod beat;
mod error;
mod server;
mod view;
mod watch;

pub use error::LiveError;
pub use server::Server;
pub use view::{Viewer, write_page};
pub use watch::LiveWatch;
