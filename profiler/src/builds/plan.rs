//! What to measure of builds, and how often.

use super::protocol::Request;
use crate::measure::Calls;
use evmscope_interp::Settings;
use std::path::PathBuf;

/// What to compare, and with how many launches and samples.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder of cases for all builds.
    pub case_dir: PathBuf,
    pub cases: Vec<String>,
    pub modes: Vec<String>,
    pub settings: Settings,
    /// Launches of each build. The addresses of code and stack vary by process.
    pub launches: usize,
    /// Samples per case, mode, build and launch.
    pub pairs: usize,
    pub turns: Turns,
    pub calls: Calls,
}

/// What is sampled in turn, in shuffled order, and so compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// The builds, mode by mode; hardware counters too.
    Builds,
    /// The modes of a single build.
    Modes,
}

impl Plan {
    /// How often `builds::interleave` calls `tick`.
    pub fn steps(&self) -> u64 {
        let groups = match self.turns {
            Turns::Builds => self.modes.len(),
            Turns::Modes => 1,
        };
        (self.launches * self.cases.len() * groups) as u64
    }

    /// All cases and modes, in the order of their places.
    pub(super) fn places(&self) -> impl Iterator<Item = (&String, &String)> {
        let cases = self.cases.iter();
        cases.flat_map(|case| self.modes.iter().map(move |mode| (case, mode)))
    }

    /// What is sampled together, as indices of builds and modes.
    pub(super) fn groups(&self, builds: usize) -> Vec<Vec<(usize, usize)>> {
        let of_mode = |mode| (0..builds).map(move |build| (build, mode));
        let modes = 0..self.modes.len();
        match self.turns {
            Turns::Builds => modes.map(|mode| of_mode(mode).collect()).collect(),
            Turns::Modes => vec![modes.flat_map(of_mode).collect()],
        }
    }

    pub(super) fn request(&self, case: &str) -> Request {
        Request::Open {
            case_dir: self.case_dir.clone(),
            case: case.to_owned(),
            modes: self.modes.clone(),
            tuning: self.settings.into(),
        }
    }
}
