//! Arguments that several verbs share, and the parsers of their values.

use crate::engines::EngineId;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use evmscope_interp::{
    Budget, Fork, KeccakMemo, Mode, Settings, Technique, Techniques, UnknownFork, statetest,
};
use evmscope_reports::change::Gate;
use std::error::Error;
use std::path::PathBuf;
use std::str::FromStr;

/// Parses one of `names`. Help and errors list them.
fn one_of<T>(names: Vec<&'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

pub fn modes() -> impl TypedValueParser<Value = Mode> {
    one_of(Mode::ALL.iter().map(|mode| mode.name()).collect())
}

pub fn engines() -> impl TypedValueParser<Value = EngineId> {
    one_of(EngineId::names())
}

pub fn gates() -> impl TypedValueParser<Value = Gate> {
    one_of(Gate::ALL.map(Gate::name).to_vec())
}

pub fn forks() -> impl TypedValueParser<Value = Fork> {
    one_of(Fork::ALL.iter().map(|fork| fork.name()).collect())
}

fn memos() -> impl TypedValueParser<Value = KeccakMemo> {
    one_of(KeccakMemo::ALL.iter().map(|memo| memo.name()).collect())
}

fn techniques() -> impl TypedValueParser<Value = Technique> {
    one_of(
        Technique::ALL
            .iter()
            .map(|technique| technique.name())
            .collect(),
    )
}

fn budget(text: &str) -> Result<f64, String> {
    let usable = |budget: &f64| budget.is_finite() && *budget > 0.0;
    let budget = text.parse().ok().filter(usable);
    budget.ok_or_else(|| "use a number above 0, such as 4 or 2.5".to_owned())
}

/// Gas up to `i64::MAX`, the interpreter's limit. More is refused, not clamped.
pub fn gas(text: &str) -> Result<u64, String> {
    const MOST: u64 = i64::MAX as u64;
    let whole = text.parse().ok().filter(|gas| *gas <= MOST);
    whole.ok_or_else(|| format!("use a whole number from 0 to {MOST}"))
}

/// Output format of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// Where cases come from.
#[derive(Args)]
pub struct CaseDir {
    /// Folder of cases: NAME/case.toml, NAME.runtime.hex, or evm-bench's [default: cases].
    #[arg(long, value_name = "PATH")]
    pub case_dir: Option<PathBuf>,
}

/// Interpreter settings. They do not change results.
#[derive(Args)]
pub struct Tuning {
    /// Modes that cache Keccak hashes of 32 and 64 bytes within a message.
    #[arg(long, value_name = "MODES", default_value_t = Settings::default().keccak_memo, value_parser = memos())]
    pub keccak_memo: KeccakMemo,
    /// Decoded bytes that the advanced mode may keep per bytecode byte.
    #[arg(
        long,
        value_name = "X",
        default_value_t = Budget::default().ratio,
        allow_negative_numbers = true,
        value_parser = budget
    )]
    pub budget: f64,
    /// Bytes of decoded form that it may keep for every code, however short.
    #[arg(long, value_name = "BYTES", default_value_t = Budget::default().floor)]
    pub budget_floor: usize,
    /// Disable techniques of the advanced mode; `evmscope ablate` measures each.
    #[arg(long, value_name = "TECHNIQUE,..", value_delimiter = ',', value_parser = techniques())]
    pub without: Vec<Technique>,
}

impl Tuning {
    pub fn settings(&self) -> Settings {
        Settings {
            keccak_memo: self.keccak_memo,
            budget: Budget {
                ratio: self.budget,
                floor: self.budget_floor,
            },
            techniques: self
                .without
                .iter()
                .fold(Techniques::ALL, |set, technique| set.without(*technique)),
            ..Settings::default()
        }
    }
}

/// Parses `5%`, `5 %` or `5` as the share 0.05.
pub fn share(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').unwrap_or(text).trim();
    let share = number.parse::<f64>().map(|percent| percent / 100.0);
    let usable = share.ok().filter(|share| (0.0005..=1.0).contains(share));
    usable.ok_or_else(|| "use a percentage from 0.05 to 100, such as 5% or 2.5%".to_owned())
}

/// Source maps in addition to the one in a case's folder.
#[derive(Args)]
pub struct SourceMaps {
    /// The compiler's standard JSON output, or a build-info file of Foundry or Hardhat; may be repeated.
    #[arg(long = "source-map", value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

pub fn fork_of_test(name: &str) -> Result<Fork, UnknownFork> {
    statetest::fork(name).map_or_else(|| name.parse(), Ok)
}

pub fn per_cent(text: &str) -> Result<f64, String> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=100.0).contains(share));
    share.ok_or_else(|| "use a number from 0 to 100".to_owned())
}
