//! Where languages lie: against scikit-learn and NumPy on real states (`golden`), on states
//! whose answers are known (`known`), by simulation of nulls and intervals (`coverage`), and
//! laws that hold for any states (`laws`).

mod coverage;
mod golden;
mod known;
mod laws;
mod states;
