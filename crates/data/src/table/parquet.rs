//! Parquet, without arrow: rows are put together from the pages of the wanted columns, one row
//! group after the other.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use parquet::{
    basic::{Compression, ConvertedType},
    errors::ParquetError,
    file::{
        metadata::ParquetMetaData,
        reader::{FileReader, SerializedFileReader},
    },
    record::{Field, reader::RowIter},
    schema::types::{Type, TypePtr},
};
use schema::disk::DiskError;
use serde_json::{Map, Number, Value};

use super::{TableRow, no_column};
use crate::{DataError, seam};

/// Bytes to which a column of a row group may unpack.
const MOST_UNPACKED: i64 = 1 << 30;
/// Bytes to which it may unpack by any ratio.
const MOST_SMALL: i64 = 64 << 20;
/// How many times as long as its packed form a longer one may be.
const MOST_RATIO: i64 = 200;

/// A Parquet file.
pub(super) struct ParquetFile {
    path: PathBuf,
    columns: Arc<[String]>,
    iterator: RowIter<'static>,
    total: u64,
    rows: usize,
}

impl ParquetFile {
    /// Opens the file; only the columns `wanted` will be read, and those of `optional` that are
    /// there.
    pub(super) fn open(path: &Path, wanted: &[&str], optional: &[&str]) -> Result<Self, DataError> {
        seam::guard(|| Ok(Self::open_plainly(path, wanted, optional)))
            .unwrap_or_else(|problem| Err(unusable(path, problem)))
    }

    fn open_plainly(path: &Path, wanted: &[&str], optional: &[&str]) -> Result<Self, DataError> {
        let file = File::open(path).map_err(DiskError::at("read", path))?;
        let reader = SerializedFileReader::new(file).map_err(|e| broken(path, &e))?;
        let schema = reader.metadata().file_metadata().schema().clone();
        let top = schema.get_fields();
        if let Some(missing) = wanted.iter().find(|name| column_of(top, name).is_none()) {
            let there: Vec<String> = top.iter().flat_map(|field| names_in(field)).collect();
            return Err(unusable(path, no_column(missing, &there)));
        }
        let asked: Vec<&str> = wanted
            .iter()
            .chain(optional)
            .filter_map(|name| column_of(top, name))
            .collect();
        let fields: Vec<_> = top
            .iter()
            .filter(|field| asked.contains(&field.name()))
            .cloned()
            .collect();
        check_codecs(path, reader.metadata(), &asked)?;
        let columns: Arc<[String]> = fields.iter().map(|field| field.name().to_owned()).collect();
        let projection = Type::group_type_builder(schema.name())
            .with_fields(fields)
            .build()
            .map_err(|e| broken(path, &e))?;
        check_sizes(path, &reader, &columns)?;
        let total = reader.metadata().file_metadata().num_rows().max(0) as u64;
        let iterator = RowIter::from_file_into(Box::new(reader))
            .project(Some(projection))
            .map_err(|e| broken(path, &e))?;
        Ok(Self {
            path: path.to_owned(),
            columns,
            iterator,
            total,
            rows: 0,
        })
    }

    /// Of all rows, from 0 to 1.
    pub(super) fn share(&self) -> f64 {
        if self.total == 0 {
            1.0
        } else {
            self.rows as f64 / self.total as f64
        }
    }

    pub(super) fn next_row(&mut self) -> Result<Option<TableRow>, DataError> {
        // A panic leaves the iterator as it may; nothing is read from it after the error.
        let next = seam::guard(|| Ok(self.iterator.next()));
        let next = next
            .map_err(|problem| unusable(&self.path, format!("row {}: {problem}", self.rows + 1)))?;
        let Some(next) = next else {
            return if self.rows as u64 == self.total {
                Ok(None)
            } else {
                Err(self.cut_off())
            };
        };
        self.rows += 1;
        let mut row = TableRow {
            number: self.rows,
            line: None,
            columns: Arc::clone(&self.columns),
            cells: Vec::new(),
        };
        let fields =
            next.map_err(|error| row.fail(&self.path, None, format!("cannot be read: {error}")))?;
        for (name, field) in fields.into_columns() {
            let cell =
                value_of(field).map_err(|problem| row.fail(&self.path, Some(&name), problem))?;
            row.cells.push(cell);
        }
        Ok(Some(row))
    }

    fn cut_off(&self) -> DataError {
        let problem = format!(
            "has {} rows where its end promises {}; get the file again",
            self.rows, self.total
        );
        unusable(&self.path, problem)
    }
}

/// Pages are unpacked whole: a small file must not unpack to all memory.
fn check_sizes(
    path: &Path,
    reader: &SerializedFileReader<File>,
    columns: &[String],
) -> Result<(), DataError> {
    for (at, group) in reader.metadata().row_groups().iter().enumerate() {
        let wanted = group.columns().iter().filter(|chunk| {
            let name = chunk.column_path().parts().first();
            name.is_some_and(|name| columns.contains(name))
        });
        for chunk in wanted {
            let packed = chunk.compressed_size().max(1);
            let unpacked = chunk.uncompressed_size();
            if unpacked > MOST_UNPACKED || unpacked > MOST_SMALL && unpacked / packed > MOST_RATIO {
                let problem = format!(
                    "column {} of row group {} unpacks from {packed} to {unpacked} bytes, which are in memory at once; \
                     write the file again with smaller row groups",
                    chunk.column_path().string(),
                    at + 1
                );
                return Err(unusable(path, problem));
            }
        }
    }
    Ok(())
}

/// The top-level column in which a wanted one lies: itself, or the struct before a dot.
fn column_of<'n>(top: &[TypePtr], name: &'n str) -> Option<&'n str> {
    if top.iter().any(|field| field.name() == name) {
        return Some(name);
    }
    let dots = name.match_indices('.').map(|(at, _)| at);
    dots.filter_map(|at| {
        let outer = top.iter().find(|field| field.name() == &name[..at])?;
        if outer.is_primitive() {
            return None;
        }
        column_of(outer.get_fields(), &name[at + 1..]).map(|_| &name[..at])
    })
    .next()
}

/// The name of a column, or those of a struct's entries.
fn names_in(field: &Type) -> Vec<String> {
    let is_struct =
        field.is_group() && field.get_basic_info().converted_type() == ConvertedType::NONE;
    if !is_struct {
        return vec![field.name().to_owned()];
    }
    let entries = field.get_fields().iter();
    entries
        .map(|entry| format!("{}.{}", field.name(), entry.name()))
        .collect()
}

/// Refuses a column in a compression that is not built in, before the library does in words of
/// its own.
fn check_codecs(path: &Path, metadata: &ParquetMetaData, asked: &[&str]) -> Result<(), DataError> {
    for chunk in metadata
        .row_groups()
        .iter()
        .flat_map(|group| group.columns())
    {
        let column = chunk
            .column_path()
            .parts()
            .first()
            .map_or("", String::as_str);
        let is_built_in = matches!(
            chunk.compression(),
            Compression::UNCOMPRESSED
                | Compression::SNAPPY
                | Compression::GZIP(_)
                | Compression::ZSTD(_)
        );
        if !is_built_in && asked.contains(&column) {
            let codec = chunk.compression().to_string().to_lowercase();
            let codec = codec.split('(').next().unwrap_or_default(); // without its level
            let problem = format!(
                "column `{column}` is compressed with {codec}, which is not read here; snappy, gzip and zstd are. In \
                 Python: `import pyarrow.parquet as p; p.write_table(p.read_table(FILE), OUT, compression='zstd')`"
            );
            return Err(unusable(path, problem));
        }
    }
    Ok(())
}

fn broken(path: &Path, error: &ParquetError) -> DataError {
    unusable(path, format!("cannot be read as Parquet: {error}"))
}

fn unusable(path: &Path, problem: String) -> DataError {
    DataError::unusable(path.display().to_string(), problem)
}

/// A number of JSON; null for what it cannot write.
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// The same value in JSON's terms.
fn value_of(field: Field) -> Result<Value, String> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => value.into(),
        Field::Byte(value) => value.into(),
        Field::Short(value) => value.into(),
        Field::Int(value) | Field::Date(value) | Field::TimeMillis(value) => value.into(),
        Field::Long(value)
        | Field::TimeMicros(value)
        | Field::TimestampMillis(value)
        | Field::TimestampMicros(value) => value.into(),
        Field::UByte(value) => value.into(),
        Field::UShort(value) => value.into(),
        Field::UInt(value) => value.into(),
        Field::ULong(value) => value.into(),
        Field::Float16(value) => float(value.into()),
        Field::Float(value) => float(value.into()),
        Field::Double(value) => float(value),
        Field::Str(value) => value.into(),
        Field::Group(group) => {
            let mut object = Map::new();
            for (name, field) in group.into_columns() {
                object.insert(name, value_of(field)?);
            }
            Value::Object(object)
        }
        Field::ListInternal(list) => Value::Array(
            list.elements()
                .iter()
                .cloned()
                .map(value_of)
                .collect::<Result<_, _>>()?,
        ),
        other @ (Field::Bytes(_) | Field::Decimal(_) | Field::MapInternal(_)) => {
            return Err(format!(
                "is of a kind that is not read here ({other}); write it as a text or a number"
            ));
        }
    })
}
