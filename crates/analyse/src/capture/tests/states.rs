//! The file of states.
