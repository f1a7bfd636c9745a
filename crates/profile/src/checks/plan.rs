//! The steps of a job.

use super::{Problem, Subject, unless};
use crate::trusted::{Redo, StepKind};

/// Every step once, in the only order in which they work.
pub(super) fn steps(subject: &Subject<'_>) -> Vec<Problem> {
    let given: Vec<_> = subject.file.steps.iter().map(|step| step.kind).collect();
    if given == StepKind::ALL {
        return Vec::new();
    }
    let index = StepKind::ALL.iter().zip(&given).take_while(|(wanted, given)| wanted == given).count();
    let (what, remedy) = match (StepKind::ALL.get(index), given.get(index)) {
        (Some(wanted), Some(given)) => {
            (format!("{} stands here", given.name()), format!("put {} here", wanted.name()))
        }
        (Some(wanted), None) => ("a step is missing".to_owned(), format!("add {}", wanted.name())),
        (None, _) => ("a step is too many".to_owned(), "end with verify".to_owned()),
    };
    vec![Problem::new(format!("steps[{index}].kind"), what, remedy)]
}

/// What cannot be undone is never repeated blindly.
pub(super) fn redo(subject: &Subject<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, step) in subject.file.steps.iter().enumerate() {
        if step.kind.is_irreversible() && step.redo == Redo::Repeat {
            problems.push(Problem::new(
                format!("steps[{index}].redo"),
                format!("{} cannot be undone, so it must not be repeated blindly", step.kind.name()),
                "use inspect or ask",
            ));
        }
    }
    problems
}

/// Every step has time.
pub(super) fn step_budget(subject: &Subject<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, step) in subject.file.steps.iter().enumerate() {
        if step.budget_ms == 0 {
            let field = format!("steps[{index}].budget-ms");
            problems.push(Problem::new(field, "the step would time out at once", "give it at least 1000"));
        }
    }
    problems
}

/// The job has time for all its steps.
pub(super) fn job_budget(subject: &Subject<'_>) -> Vec<Problem> {
    let steps: u64 = subject.file.steps.iter().map(|step| u64::from(step.budget_ms)).sum();
    let job = u64::from(subject.file.job_budget_seconds) * 1000;
    unless(job > 0 && steps <= job, || {
        let needed = steps.div_ceil(1000).max(1);
        Problem::new(
            "job-budget-seconds",
            format!("the steps alone may take {needed} s"),
            format!("use at least {needed}, or give the steps less"),
        )
    })
}
