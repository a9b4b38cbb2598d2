//! The notes below a diff: the noise floor, how it was measured, what decides, and what would decide more.

use super::super::{marks, verdict};
use crate::change::{Changes, Gate, Taken, VERDICT_COUNTER};
use crate::format;
use crate::run::{OpcodeCost, Run, Verdict};
use crate::stats::multiple::{FALSE_DISCOVERIES, MIN_RUNS};
use crate::stats::{MIN_LAUNCHES, RUN_TO_RUN};

pub(super) fn noise(changes: &Changes) -> String {
    match (changes.noise_floor(), changes.terms.taken) {
        (Some((median, reach)), _) => format!(
            "Noise floor: the base against itself differs by up to {}; its intervals extend to {}.",
            format::percent(median),
            format::percent(reach)
        ),
        (None, Taken::Separately) => format!(
            "Noise floor: not measured, since the runs were made at different times; intervals are widened by {} \
             instead.",
            format::percent(RUN_TO_RUN)
        ),
        (None, Taken::Interleaved) => "Noise floor: not measured.".to_owned(),
    }
}

pub(super) fn legend(changes: &Changes) -> Vec<String> {
    let beyond = format::percent(changes.terms.threshold);
    let launches = changes
        .base
        .measurements
        .iter()
        .map(|it| it.launches.len())
        .max();
    let taken = match changes.terms.taken {
        Taken::Interleaved => {
            let launches = launches.unwrap_or(0);
            let few = match launches < MIN_LAUNCHES {
                true => format!("; {MIN_LAUNCHES} are needed for a verdict"),
                false => String::new(),
            };
            format!(
                "Both binaries were launched {launches} times and sampled in turn{few}; the interval is over the \
                 launches."
            )
        }
        Taken::Separately => "The two runs were measured at different times.".to_owned(),
    };
    let mut legend = vec![
        taken,
        format!(
            "{} decides: slower or faster if the change is beyond {beyond} and its interval excludes zero; level if the \
             interval lies within {beyond}; inconclusive otherwise.",
            VERDICT_COUNTER.title()
        ),
        "Simulated counts are of callgrind's model of a CPU, not of this one; exact ones are what repeated simulations \
         agree on."
            .to_owned(),
    ];
    legend.extend(of_opcodes(changes));
    let runs = [&changes.base, &changes.head].into_iter();
    legend.extend(marks::legend(runs.flat_map(|run| &run.measurements)));
    legend.extend(to_decide(changes));
    legend.push(gates(changes));
    legend
}

/// What would decide the inconclusive.
fn to_decide(changes: &Changes) -> Option<String> {
    if changes.with(Verdict::Inconclusive).is_empty() {
        return None;
    }
    if changes.terms.taken == Taken::Separately {
        return Some(
            "To decide the inconclusive: compare the two binaries in turn, `evmscope diff BASE HEAD`.".to_owned(),
        );
    }
    let made = changes.base.measurements.iter().map(|it| it.launches.len());
    let made = made.max().unwrap_or(0);
    let needed = changes.launches_to_decide();
    Some(verdict::to_decide(
        "inconclusive",
        &needed,
        made,
        changes.terms.timing_seconds,
    ))
}

/// What makes the comparison fail.
fn gates(changes: &Changes) -> String {
    let gates = changes.terms.gates.iter().map(|gate| match gate {
        Gate::Time => "slower".to_owned(),
        Gate::Instructions => format!(
            "more simulated instructions, exact, beyond {}",
            format::percent(changes.terms.instruction_threshold)
        ),
    });
    let gates: Vec<_> = gates.collect();
    format!("Exit code 3 for: {}, or other work.", gates.join(", "))
}

/// How opcodes were compared, if not by simulated counts.
fn of_opcodes(changes: &Changes) -> Option<String> {
    let of = |run: &'_ Run, is: fn(&OpcodeCost) -> bool| run.opcode_costs.iter().any(is);
    let sampled = |run| {
        of(run, |cost| {
            cost.samples > 0 && cost.sim_instructions.is_none()
        })
    };
    let [base, head] = [&changes.base, &changes.head];
    if !sampled(base) && !sampled(head) {
        return None;
    }
    let decide = |run| of(run, |cost| cost.runs.len() >= MIN_RUNS);
    Some(match decide(base) && decide(head) {
        true => format!(
            "Opcodes by CPU time: those whose difference is more than chance over the sampling runs, at most {} of them \
             falsely (Benjamini and Hochberg).",
            format::percent(FALSE_DISCOVERIES)
        ),
        false => format!(
            "Opcodes without simulated counts are not compared: their CPU times need {MIN_RUNS} sampling runs of each \
             side."
        ),
    })
}
