//! Whether the classifier may give intents, or only suggest them.

use crate::classifier::{
    dto::percent,
    model::{Point, Report},
};

/// A precision says something only over so many answers of the cross-validation.
pub const LEAST_ANSWERS: usize = 20;

/// What the gate says of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The point that the classifier works at; absent where it only suggests.
    pub point: Option<Point>,
    /// In a sentence or two.
    pub why: String,
    /// As the end of a sentence about a message; absent where it gives intents.
    pub until: Option<String>,
}

/// Judges a report by the tenant's gate (0 to 1).
pub fn standing(report: &Report, gate: f64) -> Standing {
    let examples = measured_by(report);
    if let Some(point) = report.passes(gate, LEAST_ANSWERS) {
        let why = format!(
            "It gives intents: cross-validated on {examples}, {} of its answers are right from a \
             probability of {} on, which the gate of {} asks for. It answers {} of them.",
            percent(point.precision),
            percent(point.threshold),
            percent(gate),
            percent(point.decided)
        );
        return Standing { point: Some(point), why, until: None };
    }
    let until = format!("the classifier only suggests until {} of its answers are right", percent(gate));
    let best = report
        .curve
        .iter()
        .filter(|point| report.answers(point) >= LEAST_ANSWERS)
        .map(|point| point.precision)
        .fold(None, |best, next| Some(best.map_or(next, |best: f64| best.max(next))));
    let why = match best {
        _ if report.curve.is_empty() => {
            "It says nothing yet: it needs examples of at least two intents.".into()
        }
        None => format!(
            "It only suggests: {examples} are too few to measure it by. It takes at least \
             {LEAST_ANSWERS} answers in the cross-validation."
        ),
        Some(best) => format!(
            "It only suggests: cross-validated on {examples}, at best {} of its answers are right, and \
             the gate asks for {}. More examples, above all of intents that are mistaken for each other, help.",
            percent(best),
            percent(gate)
        ),
    };
    Standing { point: None, why, until: Some(until) }
}

/// The examples that it was measured by, in words. People see more of them than count.
fn measured_by(report: &Report) -> String {
    match (report.examples, report.judged()) {
        (all, judged) if judged < all => {
            format!("{judged} of {all} examples (those that differ in numbers alone count once)")
        }
        (all, _) => format!("{all} examples"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_only_suggests_until_enough_answers_hold_the_gate() {
        let answers = |right: usize, wrong: usize| -> Report {
            let list: Vec<_> = (0..right + wrong).map(|i| Some((1.0 - i as f64 / 1e3, i < right))).collect();
            Report::of(&list, &vec![1; right + wrong])
        };
        let none = standing(&Report::default(), 0.95);
        assert!(none.point.is_none() && none.why.contains("at least two intents"), "{none:?}");
        let few = standing(&answers(10, 0), 0.95);
        assert!(few.point.is_none() && few.why.contains("too few"), "{few:?}");
        let good = standing(&answers(40, 0), 0.95);
        assert!(good.point.is_some() && good.until.is_none(), "{good:?}");
        let poor = standing(&answers(25, 25), 1.0);
        assert!(poor.point.is_some(), "the first 25 are right: {poor:?}");
        let mixed: Vec<_> = (0..60).map(|i| Some((1.0 - f64::from(i) / 1e3, i % 2 == 0))).collect();
        let poor = standing(&Report::of(&mixed, &[1; 60]), 0.95);
        assert!(poor.point.is_none() && poor.why.contains("at best"), "{poor:?}");
        // What it says of a model that only suggests is not that it holds the gate.
        let mislabelled: Vec<_> = (0..100).map(|i| Some((1.0 - f64::from(i) / 1e3, i >= 2))).collect();
        let good = standing(&Report::of(&mislabelled, &[1; 100]), 0.95);
        assert!(good.point.is_some() && good.why.contains("98"), "{good:?}");
        // 40 examples, 38 of which are copies.
        let copies = Report { examples: 40, ..answers(2, 0) };
        let few = standing(&copies, 0.95);
        assert!(few.point.is_none() && few.why.contains("2 of 40 examples (those"), "{few:?}");
    }
}
