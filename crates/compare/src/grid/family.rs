//! p-values adjusted over all runs of a grid: one family of the changes of means, one of the
//! changes in single languages.
//!
//! Never here: the tests themselves (`change`).

use super::{GridResults, GridTest, TestFamilies};
use crate::stats::paired::holm;

/// Adjusts every p-value for all of its kind in the grid, and says how many these are.
pub(super) fn adjust(results: &mut GridResults) {
    let tuned = results.rows.iter().filter(|row| !row.is_base());
    let untested = tuned.filter(|row| row.test.is_none()).count();
    let means = results.rows.iter_mut().filter_map(|row| row.test.as_mut());
    let means = adjust_family(means.collect());
    let cells = results.rows.iter_mut().flat_map(|row| &mut row.languages);
    let languages = adjust_family(cells.filter_map(|cell| cell.test.as_mut()).collect());
    results.families = TestFamilies {
        means,
        languages,
        untested,
    };
}

/// The size of the family.
fn adjust_family(tests: Vec<&mut GridTest>) -> usize {
    let adjusted = holm(&tests.iter().map(|test| test.p).collect::<Vec<f64>>());
    let size = tests.len();
    for (test, p_holm) in tests.into_iter().zip(adjusted) {
        test.p_holm = p_holm;
    }
    size
}
