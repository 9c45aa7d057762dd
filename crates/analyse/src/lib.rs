//! Capture of hidden states, and what is computed from them.
