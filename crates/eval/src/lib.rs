//! Prefilling the shared prefix, label scoring and calibration, the loop over languages.
