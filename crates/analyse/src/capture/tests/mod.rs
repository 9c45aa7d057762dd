//! Captured states against an unshared naive loop, against transformers, and whatever must not change them.

mod states;
