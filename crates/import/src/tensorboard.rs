//! Event files of TensorBoard: numbers by update, which its page and W&B draw. A file is a row of
//! framed protobuf messages (tensorflow/core/util/event.proto and framework/summary.proto).

use std::path::{Path, PathBuf};

use prost::Message;
use schema::{disk::DiskError, write_whole};

/// What a file of events must have in its name. The rest is usually time and machine, which would
/// give another file at every writing.
const NAME: &str = "events.out.tfevents.0.lingualign";
/// The format's own word, in the first event.
const VERSION: &str = "brain.Event:2";

/// A number at an update.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// The curve, as `train/loss`.
    pub tag: String,
    /// Optimiser updates.
    pub step: usize,
    /// Seconds since the training began.
    pub seconds: f64,
    /// The number.
    pub value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<SummaryValue>,
}

#[derive(Clone, PartialEq, Message)]
struct SummaryValue {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    simple_value: f32,
}

impl Event {
    fn of(scalar: &Scalar) -> Self {
        let value = SummaryValue {
            tag: scalar.tag.clone(),
            simple_value: scalar.value as f32,
        };
        Self {
            wall_time: scalar.seconds,
            step: scalar.step as i64,
            file_version: None,
            summary: Some(Summary { value: vec![value] }),
        }
    }
}

/// Writes the curves of one training to `<out>/<name>/`; returns the file. Its times are seconds
/// from the training's begin.
///
/// # Errors
/// The file cannot be written.
pub fn write(out: &Path, name: &str, scalars: &[Scalar]) -> Result<PathBuf, DiskError> {
    let first = Event {
        file_version: Some(VERSION.to_owned()),
        ..Event::default()
    };
    let mut bytes = frame(&first);
    for scalar in scalars {
        bytes.extend(frame(&Event::of(scalar)));
    }
    let path = out.join(name).join(NAME);
    write_whole(&path, &bytes)?;
    Ok(path)
}

/// Length, its checksum, the message, its checksum; little-endian.
fn frame(event: &Event) -> Vec<u8> {
    let message = event.encode_to_vec();
    let length = (message.len() as u64).to_le_bytes();
    [
        &length[..],
        &checksum(&length).to_le_bytes(),
        &message,
        &checksum(&message).to_le_bytes(),
    ]
    .concat()
}

/// CRC-32C, turned so that a checksum over checksums is not one.
fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(event: &Event) -> String {
        let frame = frame(event);
        frame.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    // Written by the record writer of tensorboard 2.21.0.
    #[test]
    fn frames_are_those_of_tensorboard() {
        let first = Event {
            wall_time: 1.5,
            file_version: Some(VERSION.to_owned()),
            ..Event::default()
        };
        assert_eq!(
            hex(&first),
            "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c"
        );
        let scalar = Scalar {
            tag: "train/loss".to_owned(),
            step: 7,
            seconds: 1.5,
            value: 2.5,
        };
        assert_eq!(
            hex(&Event::of(&scalar)),
            "200000000000000029eda95009000000000000f83f10072a130a110a0a747261696e2f6c6f737315000020402508fb34"
        );
    }
}
