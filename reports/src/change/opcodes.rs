//! Which opcodes a change comes from: by simulated instructions if both sides have them, else by CPU times of independent
//! sampling runs.

use super::{Change, OpcodeChange, Pair, Taken};
use crate::counter::Counter;
use crate::run::OpcodeCost;
use crate::stats::RUN_TO_RUN;
use crate::stats::multiple::{Estimate, FALSE_DISCOVERIES, differences};

/// Smallest change of an opcode that is listed, as a share of the base's call.
const MIN_SHARE: f64 = 0.001;

/// A change of an opcode that may be listed.
struct Suspect {
    opcode: OpcodeChange,
    /// Whether it is certain: always for simulated counts.
    is_exact: bool,
    /// What its sampling runs say otherwise.
    estimate: Option<Estimate>,
}

impl Pair<'_> {
    /// Lists the opcodes of each change: by simulated instructions if both sides have them, else by sampling runs, where
    /// a difference must be more than chance with all opcodes of all cases and modes taken into account.
    pub(super) fn list_opcodes(&self, changes: &mut [Change]) {
        let suspects = changes.iter().map(|it| self.suspects(&it.case, &it.mode));
        let suspects: Vec<_> = suspects.collect();
        let sampled = suspects.iter().flatten().filter(|it| !it.is_exact);
        let family: Vec<_> = sampled.map(|it| it.estimate).collect();
        let mut found = differences(&family, FALSE_DISCOVERIES).into_iter();
        for (change, suspects) in changes.iter_mut().zip(suspects) {
            let certain = suspects
                .into_iter()
                .filter(|it| it.is_exact || found.next().flatten().is_some());
            let listed = certain.map(|it| it.opcode);
            change.opcodes = listed.filter(|it| it.share.abs() > MIN_SHARE).collect();
            let size = |it: &OpcodeChange| it.share.abs();
            change.opcodes.sort_by(|a, b| size(b).total_cmp(&size(a)));
        }
    }

    /// The opcodes of a case in a mode. Between different machines only simulated counts are compared.
    fn suspects(&self, case: &str, mode: &str) -> Vec<Suspect> {
        let is_own = |cost: &&OpcodeCost| cost.case == case && cost.mode == mode;
        let [base, head] = [self.base, self.head]
            .map(|run| run.opcode_costs.iter().filter(is_own).collect::<Vec<_>>());
        let is_simulated =
            |costs: &[&OpcodeCost]| costs.iter().any(|it| it.sim_instructions.is_some());
        let is_exact = is_simulated(&base) && is_simulated(&head);
        if !is_exact && !self.same_machine {
            return Vec::new();
        }
        let figure = |cost: Option<&OpcodeCost>| {
            cost.map_or(0.0, |cost| match is_exact {
                true => cost.sim_instructions.unwrap_or(0) as f64,
                false => cost.time_per_call(),
            })
        };
        let mut names: Vec<_> = base.iter().chain(&head).map(|cost| &cost.opcode).collect();
        names.sort_unstable();
        names.dedup();
        let total: f64 = base.iter().map(|cost| figure(Some(cost))).sum();
        let suspect = |name: &Option<String>| {
            let [base, head] =
                [&base, &head].map(|costs| costs.iter().find(|it| it.opcode == *name).copied());
            let (before, after) = (figure(base), figure(head));
            Suspect {
                opcode: OpcodeChange {
                    opcode: name.clone(),
                    counter: match is_exact {
                        true => Counter::SimInstructions,
                        false => Counter::CpuTime,
                    },
                    base: before,
                    head: after,
                    share: (after - before) / total.max(1.0),
                },
                is_exact,
                estimate: base
                    .zip(head)
                    .and_then(|(base, head)| self.estimate(base, head)),
            }
        };
        names.into_iter().map(suspect).collect()
    }

    fn estimate(&self, base: &OpcodeCost, head: &OpcodeCost) -> Option<Estimate> {
        let (base, head) = (base.observed(), head.observed());
        match self.terms.taken {
            Taken::Interleaved => Estimate::paired(&base, &head),
            Taken::Separately => Estimate::apart(&base, &head, RUN_TO_RUN),
        }
    }
}
