//! What intervals and tests promise, held against simulated samples. Nothing but tests.

#[cfg(test)]
mod tests;
