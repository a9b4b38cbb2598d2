//! A run as JSON, schema [`SCHEMA`], and back.

use crate::name::{self, NameError};
use crate::run::{Measurement, Run, SCHEMA};
use crate::text;
use serde::{Deserialize, Serialize};

/// Why a text is not a run, in one line with the location.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Syntax(serde_json::Error),
    /// No field `schema`.
    #[error("no field `schema`; a run states `\"schema\": \"{SCHEMA}\"`")]
    NoSchema,
    /// Another schema, older, newer or foreign.
    #[error("unknown schema `{0}`; this version reads `{SCHEMA}`")]
    UnknownSchema(String),
    /// A field is missing or has the wrong type.
    #[error("{path}: {problem}")]
    Field {
        /// Where, e.g. `results[0]`.
        path: String,
        /// What is missing or wrong, with line and column.
        problem: serde_json::Error,
    },
    /// A case or a mode has a text as its name that cannot be one.
    #[error("{list}[{index}]: {problem}")]
    Name {
        /// Where.
        list: &'static str,
        /// Index in the list.
        index: usize,
        /// The text, and what a name is.
        problem: NameError,
    },
    /// The weights of a profile have no sum.
    #[error("profiles[{0}]: the weights of its stacks add up to more than 2^63")]
    Weights(usize),
    /// A measurement is inconsistent.
    #[error("measurements[{index}] ({case}, {mode}, {counter}): {problem}", case = .name[0], mode = .name[1], counter = .name[2])]
    Contradiction {
        /// Index in the list.
        index: usize,
        /// Case, mode and counter.
        name: Box<[String; 3]>,
        /// The inconsistency.
        problem: String,
    },
}

#[derive(Deserialize)]
struct Header {
    schema: Option<String>,
}

/// Reads a run.
///
/// # Errors
/// `text` is not JSON, has another schema, lacks a field, has a name that cannot be one, or has a measurement whose `n`,
/// `unit`, `source` or `launches` contradicts its samples or its counter.
pub fn read(text: &str) -> Result<Run, ReadError> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(ReadError::Syntax)?;
    match Header::deserialize(&value) {
        Ok(Header {
            schema: Some(schema),
        }) if schema == SCHEMA => {}
        Ok(Header {
            schema: Some(schema),
        }) => return Err(ReadError::UnknownSchema(schema)),
        Ok(Header { schema: None }) | Err(_) => return Err(ReadError::NoSchema),
    }
    // Parsed from the text again, since the value has no line and column numbers.
    let mut json = serde_json::Deserializer::from_str(text);
    let run: Run = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = match error.path().to_string() {
            root if root == "." => "run".to_owned(),
            path => path,
        };
        ReadError::Field {
            path,
            problem: error.into_inner(),
        }
    })?;
    for (index, measurement) in run.measurements.iter().enumerate() {
        consistent(measurement).map_err(|problem| ReadError::Contradiction {
            index,
            name: Box::new([
                measurement.case.clone(),
                measurement.mode.clone(),
                measurement.counter.to_string(),
            ]),
            problem,
        })?;
    }
    for (index, profile) in run.profiles.iter().enumerate() {
        let weights = profile.stacks.iter().map(|(_, weight)| *weight);
        if weights.fold(0, u64::saturating_add) > i64::MAX as u64 {
            return Err(ReadError::Weights(index));
        }
    }
    expect_names(&run)?;
    Ok(run)
}

/// Writes a run or another record, indented, with a newline at the end.
///
/// # Errors
/// Those of `serde_json`; none for the types of this crate.
pub fn write(what: &impl Serialize) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string_pretty(what)? + "\n";
    Ok(text::json(&text).into_owned())
}

/// The JSON schema of a run (draft 2020-12), as published in `reports/schema/`.
///
/// # Errors
/// As [`write()`].
pub fn schema() -> Result<String, serde_json::Error> {
    let mut schema = schemars::schema_for!(Run);
    let properties = schema.get_mut("properties");
    if let Some(field) = properties.and_then(|all| all.pointer_mut("/schema")) {
        field["const"] = SCHEMA.into();
    }
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

/// Checks the names of cases and modes, which may become file names.
fn expect_names(run: &Run) -> Result<(), ReadError> {
    expect("engines", &run.engines, |it| vec![&it.name])?;
    expect("parts", &run.parts, |it| it.cases.iter().collect())?;
    expect("results", &run.results, |it| vec![&it.case, &it.mode])?;
    expect("measurements", &run.measurements, |it| {
        vec![&it.case, &it.mode]
    })?;
    expect("ratios", &run.ratios, |it| {
        vec![&it.case, &it.base, &it.head]
    })?;
    expect("profiles", &run.profiles, |it| vec![&it.case, &it.mode])?;
    expect("opcodes", &run.opcode_costs, |it| vec![&it.case, &it.mode])?;
    expect("memory", &run.memory, |it| vec![&it.case, &it.mode])?;
    expect("decoding", &run.decoding, |it| vec![&it.case])
}

fn expect<'a, T>(
    list: &'static str,
    items: &'a [T],
    names: impl Fn(&'a T) -> Vec<&'a String>,
) -> Result<(), ReadError> {
    for (index, item) in items.iter().enumerate() {
        for text in names(item) {
            name::check(text).map_err(|problem| ReadError::Name {
                list,
                index,
                problem,
            })?;
        }
    }
    Ok(())
}

fn consistent(measurement: &Measurement) -> Result<(), String> {
    let Measurement {
        counter,
        unit,
        source,
        n,
        samples,
        launches,
        ..
    } = measurement;
    if *n != samples.len() {
        return Err(format!("n is {n}, but there are {} samples", samples.len()));
    }
    let launched = launches.iter().copied().fold(0, usize::saturating_add);
    if !launches.is_empty() && launched != *n {
        return Err(format!(
            "n is {n}, but its launches took {launched} samples"
        ));
    }
    if *source != counter.source() {
        let (found, right) = (source.name(), counter.source().name());
        return Err(format!("source is {found}, but this counter is {right}"));
    }
    if unit != counter.unit() {
        return Err(format!(
            "unit is {unit}, but this counter's is {}",
            counter.unit()
        ));
    }
    Ok(())
}
