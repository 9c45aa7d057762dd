//! The `lingualign` program.
fn main() {}
