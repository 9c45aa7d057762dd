//! Loss, AdamW, schedule, step, loop, checkpoints.
