//! Tests of what the files share.
