use std::slice::from_ref;

use serde_json::json;

use super::*;

fn like(a: &[Value], b: &[Value]) -> Likeness {
    compare_values("answers.jsonl", a, b)
}

#[test]
fn what_names_places_and_times_is_left_out() {
    let a = json!({"model": "a", "seconds": 1.0, "chosen": "x", "scores": {"x": 0.5}});
    let b = json!({"model": "../b", "seconds": 2.0, "chosen": "x", "scores": {"x": 0.5}});
    assert_eq!(like(&[a], &[b]), Likeness::Same);
}

#[test]
fn numbers_are_told_from_answers() {
    let a = json!({"chosen": "x", "scores": {"x": 0.5, "y": 0.25}});
    let near = json!({"chosen": "x", "scores": {"x": 0.5, "y": 0.5}});
    let other = json!({"chosen": "y", "scores": {"x": 0.25, "y": 0.25}});
    assert_eq!(
        like(from_ref(&a), &[near]),
        Likeness::Numbers { largest: 0.25 }
    );
    let answers = Likeness::Answers {
        differ: 1,
        of: 2,
        largest: 0.25,
    };
    assert_eq!(like(&[a.clone(), a.clone()], &[a, other]), answers);
}

#[test]
fn texts_keys_and_lengths_are_neither() {
    let a = json!({"gold": "x", "caveats": []});
    for b in [
        json!({"gold": "y", "caveats": []}),
        json!({"gold": "x"}),
        json!({"gold": "x", "caveats": [1]}),
    ] {
        assert!(matches!(like(from_ref(&a), &[b]), Likeness::Other { .. }));
    }
    assert!(matches!(
        like(from_ref(&a), &[a.clone(), a.clone()]),
        Likeness::Other { .. }
    ));
}

#[test]
fn what_is_worse_is_larger() {
    let numbers = |largest| Likeness::Numbers { largest };
    let answers = Likeness::Answers {
        differ: 1,
        of: 9,
        largest: 0.0,
    };
    let other = Likeness::Other {
        what: String::new(),
    };
    assert!(Likeness::Same < numbers(0.1) && numbers(0.1) < numbers(0.2));
    assert!(numbers(9.0) < answers && answers < other);
}

#[test]
fn a_number_beside_none_is_as_far_as_can_be() {
    let [one, nan] = [1.0_f32, f32::NAN].map(f32::to_le_bytes);
    assert_eq!(largest_distance(&one, &nan), f64::INFINITY);
    assert_eq!(largest_distance(&one, &0.25_f32.to_le_bytes()), 0.75);
    assert_eq!(largest_distance(&one, &one), 0.0);
}
