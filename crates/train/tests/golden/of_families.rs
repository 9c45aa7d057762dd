//! Every family's tiny model against transformers and PEFT (`tests/golden/make_families.py`),
//! with every set of kernels.

use super::{Golden, check_forward, check_train, families, with_every_set};

#[test]
fn every_family_forward() {
    for name in families::names() {
        let golden = Golden::of_family(&name);
        println!("{name}");
        with_every_set(|_| check_forward(&name, &golden));
    }
}

#[test]
fn every_family_train() {
    for name in families::names() {
        let golden = Golden::of_family(&name);
        if golden.json["lora"].is_object() {
            println!("{name}");
            with_every_set(|_| check_train(&golden));
        }
    }
}
