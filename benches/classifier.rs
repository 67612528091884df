//! The classifier on CLINC150 (Larson et al. 2019, CC BY 3.0): trained on `train` and `oos_train`, its threshold
//! chosen on `val` and `oos_val`, measured on `test` and `oos_test`. Then what small tenants get, and whether what their gate
//! claims holds, however many examples of no intent they have.
//!
//! The file is `data_full.json` of clinc/oos-eval, named by `CLINC150`, else looked for beside the project.

use std::{collections::HashMap, hint::black_box, path::PathBuf, time::Instant};

use flowengine::classifier::model::{Example, Model, NONE, Report};

type Parts = HashMap<String, Vec<(String, String)>>;

/// Labels start at 1; out of scope is `NONE`.
type Labelled = Vec<(i64, String)>;

fn main() {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/clinc150/data_full.json");
    let path = std::env::var_os("CLINC150").map_or(beside, PathBuf::from);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!(
            "CLINC150 is not at {}: nothing measured. Name it by the variable CLINC150.",
            path.display()
        );
        return;
    };
    let parts: Parts = serde_json::from_str(&text).expect("the file must be data_full.json of CLINC150");
    let mut names: Vec<&str> = parts["train"].iter().map(|(_, label)| label.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let get = |part: &str| -> Labelled {
        let label = |name: &str| names.binary_search(&name).map_or(NONE, |i| i as i64 + 1);
        parts[part].iter().map(|(text, name)| (label(name), text.clone())).collect()
    };
    full(&get);
    println!();
    for (intents, each) in [(3, 5), (10, 5), (10, 10), (10, 50), (20, 20)] {
        small(&get, intents, each);
    }
    println!();
    for (intents, each) in [(10, 10), (10, 50)] {
        for none in [0, 10, 19, 20, 50, 100] {
            claim(&get, intents, each, none);
        }
    }
}

fn train(examples: &[&(i64, String)]) -> (Model, Report, f64) {
    let examples: Vec<Example<'_>> =
        examples.iter().map(|(label, text)| Example { label: *label, text }).collect();
    let start = Instant::now();
    let (model, report) = Model::train_and_evaluate(&examples);
    (model, report, start.elapsed().as_secs_f64())
}

/// The probability of each answer, and whether it is right.
fn answers(model: &Model, texts: &[(i64, String)]) -> Vec<Option<(f64, bool)>> {
    let answer = |(label, text): &(i64, String)| {
        model.predict(text).first().map(|first| (first.probability, first.label == *label))
    };
    texts.iter().map(answer).collect()
}

fn share(answers: &[Option<(f64, bool)>], holds: impl Fn(f64, bool) -> bool) -> f64 {
    let held = answers.iter().filter(|answer| answer.is_some_and(|(p, is_right)| holds(p, is_right)));
    held.count() as f64 / answers.len() as f64
}

fn full(get: &impl Fn(&str) -> Labelled) {
    let (mut seen, none) = (get("train"), get("oos_train"));
    seen.extend(none);
    let (model, report, seconds) = train(&seen.iter().collect::<Vec<_>>());
    let (features, weights) = model.size();
    println!(
        "trained in {seconds:.1} s, cross-validation included: {features} features, {weights} weights, {:.1} MB",
        model.to_bytes().len() as f64 / 1e6
    );
    println!("cross-validated accuracy on train {:.2} %", report.accuracy * 100.0);
    let [val, oos_val, test, oos_test] =
        ["val", "oos_val", "test", "oos_test"].map(|part| answers(&model, &get(part)));
    println!("in scope without a threshold {:.2} %", share(&test, |_, is_right| is_right) * 100.0);
    let mut thresholds: Vec<f64> = val.iter().chain(&oos_val).flatten().map(|(p, _)| *p).collect();
    thresholds.sort_by(f64::total_cmp);
    let right = |answers: &[_], t: f64| share(answers, |p, is_right| p >= t && is_right);
    let kept_out = |answers: &[_], t: f64| 1.0 - share(answers, |p, _| p >= t);
    for recall in [0.5, 0.6, 0.7, 0.8] {
        // The lowest threshold that keeps this share of `oos_val` out.
        let Some(t) = thresholds.iter().copied().find(|t| kept_out(&oos_val, *t) >= recall) else { continue };
        println!(
            "threshold {t:.3} (keeps {:.0} % of oos_val out): in scope {:.2} %, out-of-scope recall {:.1} %",
            recall * 100.0,
            right(&test, t) * 100.0,
            kept_out(&oos_test, t) * 100.0
        );
    }
    println!("precision against the share decided, over test and oos_test:");
    let all: Vec<_> = test.iter().chain(&oos_test).copied().collect();
    let labels: Vec<i64> = get("test").iter().chain(&get("oos_test")).map(|(label, _)| *label).collect();
    for point in Report::of(&all, &labels).curve.iter().step_by(4) {
        println!(
            "  threshold {:.3}: {:5.1} % decided, {:5.1} % of them right",
            point.threshold,
            point.decided * 100.0,
            point.precision * 100.0
        );
    }
    let texts = get("test");
    let start = Instant::now();
    for (_, text) in &texts {
        black_box(model.predict(black_box(text)));
    }
    let predict = start.elapsed().as_secs_f64() / texts.len() as f64;
    let start = Instant::now();
    for (label, text) in &texts {
        black_box(model.explain(black_box(text), *label, 5));
    }
    let explain = start.elapsed().as_secs_f64() / texts.len() as f64;
    println!("{:.0} µs a message, and {:.0} µs for its explanation", predict * 1e6, explain * 1e6);
}

/// The first `each` examples of so many intents, and all texts of `test` that belong to these.
fn some(get: &impl Fn(&str) -> Labelled, intents: i64, each: usize) -> (Labelled, Labelled) {
    let all = get("train");
    let of = |label: i64| all.iter().filter(move |(other, _)| *other == label).take(each);
    // Every seventh, so that they are not neighbours in the alphabet.
    let chosen: Vec<i64> = (0..intents).map(|i| 1 + i * 7 % 150).collect();
    let seen = chosen.iter().flat_map(|label| of(*label)).cloned().collect();
    (seen, get("test").into_iter().filter(|(label, _)| chosen.contains(label)).collect())
}

/// No example of no intent.
fn small(get: &impl Fn(&str) -> Labelled, intents: i64, each: usize) {
    let (seen, test) = some(get, intents, each);
    let (model, report, seconds) = train(&seen.iter().collect::<Vec<_>>());
    let (test, oos) = (answers(&model, &test), answers(&model, &get("oos_test")));
    let point = report.passes(0.95, 10);
    print!(
        "{intents} intents of {each}: trained in {seconds:.2} s, {:.0} kB; cross-validated {:.1} %, on test {:.1} %; ",
        model.to_bytes().len() as f64 / 1e3,
        report.accuracy * 100.0,
        share(&test, |_, is_right| is_right) * 100.0
    );
    match point {
        None => println!("only suggests at a gate of 95 %"),
        Some(point) => {
            let t = point.threshold;
            let (decided, right) =
                (share(&test, |p, _| p >= t), share(&test, |p, is_right| p >= t && is_right));
            println!(
                "decides {:.1} % of test, {:.1} % of them right, and leaves {:.1} % of oos_test alone",
                decided * 100.0,
                right / decided * 100.0,
                (1.0 - share(&oos, |p, _| p >= t)) * 100.0
            );
        }
    }
}

/// What the gate claims with so many examples of no intent, and what holds where one message in five belongs to none.
fn claim(get: &impl Fn(&str) -> Labelled, intents: i64, each: usize, none: usize) {
    let (mut seen, test) = some(get, intents, each);
    seen.extend(get("oos_train").into_iter().take(none));
    let (model, report, _) = train(&seen.iter().collect::<Vec<_>>());
    let (test, oos) = (answers(&model, &test), answers(&model, &get("oos_test")));
    let holds = |t: f64| {
        let (decided, right) = (share(&test, |p, _| p >= t), share(&test, |p, is_right| p >= t && is_right));
        // Beside four of the intents' there is one.
        right / (decided + share(&oos, |p, _| p >= t) / 4.0) * 100.0
    };
    print!("{intents} intents of {each} and {none} of none: ");
    if let Some(all) = report.curve.first() {
        print!(
            "of all answers {:.1} % right by its claim and {:.1} % by test; ",
            all.precision * 100.0,
            holds(0.0)
        );
    }
    match report.passes(0.95, 10) {
        None => println!("only suggests at a gate of 95 %"),
        Some(point) => println!(
            "at a gate of 95 % {:.1} % by its claim, and {:.1} % by test of the {:.1} % that it decides",
            point.precision * 100.0,
            holds(point.threshold),
            share(&test, |p, _| p >= point.threshold) * 100.0
        ),
    }
}
