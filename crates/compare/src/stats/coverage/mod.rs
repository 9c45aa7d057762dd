//! The promises of intervals and tests, checked on simulated samples. Only tests.

#[cfg(test)]
mod tests;
