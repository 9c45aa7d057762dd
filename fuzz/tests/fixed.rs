//! Every target on its seeds and on a fixed number of changed inputs, on any compiler.

use lingualign_fuzz::{Mutator, TARGETS, scratch};

const INPUTS: usize = 400;

/// A seed that is refused would leave the target's depths untried.
#[test]
fn every_seed_is_accepted() {
    let mut refused = Vec::new();
    for target in TARGETS {
        let folder = scratch();
        for (at, seed) in (target.seeds)().iter().enumerate() {
            if let Err(error) = (target.read)(folder.path(), seed) {
                refused.push(format!("{} {at}: {error}", target.name));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// A panic is the finding.
#[test]
fn no_changed_input_panics() {
    for target in TARGETS {
        let folder = scratch();
        let mut inputs = Mutator::new((target.seeds)(), 1);
        let refused = (0..INPUTS)
            .filter(|_| (target.read)(folder.path(), &inputs.next_input()).is_err())
            .count();
        assert!(refused > 0, "{} accepts whatever it is given", target.name);
    }
}
