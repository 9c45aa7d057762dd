//! What is found inside a model: records of hidden states, of the lens, of neurons, of
//! interventions. They are below `inside/<model>/` of a run folder; `report` draws from them
//! alone. Layers count from 0, the embedding's output, to L, the last block's, all before the
//! final norm.
//!
//! Never here: computing them (`analyse`).

mod analysis;
mod geometry;
mod intervention;
mod lens;
mod neurons;

pub use analysis::{Analysis, Pooling};
pub use geometry::{ChangeRecord, Measure, PairRecord, PcaRecord};
pub use intervention::{InterventionKind, InterventionRecord, SilencedKind, SilencingRecord};
pub use lens::{LensKind, LensRecord, TunedLensRecord};
pub use neurons::{LayerNeurons, NeuronOverlap, NeuronsRecord};
