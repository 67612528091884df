//! What a message came to before: by earlier runs, and by its last one where a person decided otherwise.

use leptos::prelude::*;

use super::{
    content::Taken,
    marks::{DecisionMark, NotRead},
    verdict::VerdictCards,
};
use crate::{
    emails::dto::{EmailRun, EmailStatus},
    shared::EmailId,
    ui::{bidi::unturned, host, react::effect, time::Timestamp},
};

/// The last first. Nothing, where there are none.
#[component]
pub fn EarlierRuns(
    runs: Vec<EmailRun>,
    /// How many older ones are not among them.
    more: i64,
    email_id: EmailId,
    /// The message's own, by which its verdicts stand on the page.
    present: i32,
) -> impl IntoView {
    // A run that comes or goes has its element used for another one: once it stands there, a frame later.
    effect(|| request_animation_frame(|| host::keep_open("data-run")));
    let items =
        runs.into_iter().map(|run| view! { <EarlierRun run present/> }.into_any()).collect::<Vec<_>>();
    (!items.is_empty()).then(|| {
        let more = (more > 0).then(|| {
            let words = format!("{} Programs get all: GET /api/emails/{email_id}/runs", more_words(more));
            view! { <p class="hint breakable" data-testid="more-runs">{words}</p> }.into_any()
        });
        view! {
            <section class="section" aria-labelledby="earlier-runs" data-testid="earlier-runs">
                <h2 id="earlier-runs">"Earlier decisions"</h2>
                <ol class="cards">{items}</ol>
                {more}
            </section>
        }
        .into_any()
    })
}

fn more_words(more: i64) -> String {
    if more == 1 {
        "1 older one is not shown.".to_owned()
    } else {
        format!("{more} older ones are not shown.")
    }
}

#[component]
fn EarlierRun(run: EmailRun, present: i32) -> impl IntoView {
    let EmailRun {
        run,
        intent,
        intent_version,
        decision,
        decided_by,
        decided_at,
        explanation,
        parse_error,
        fields,
        verdicts,
        ..
    } = run;
    // A person decided after it: it was run no more often for that, and its verdicts are those above.
    let is_present = run == present;
    let which = if is_present { "Before that".to_owned() } else { format!("Run {run}") };
    let mut words =
        format!(" {which} · {}", intent.map_or_else(|| "no intent".to_owned(), |found| found.name));
    if let Some(version) = intent_version {
        words += &format!(" (version {version})");
    }
    if let Some(who) = decided_by {
        words += &format!(" · by {who}");
    }
    view! {
        <li class="card">
            <details class="details" data-testid="earlier-run" data-run=run>
                <summary>
                    <DecisionMark status=EmailStatus::Done decision=Some(decision)/>
                    <span class="breakable">
                        {words}
                        {decided_at.map(|at| view! { " · " <Timestamp at/> }.into_any())}
                    </span>
                </summary>
                <div class="cards">
                    <p class="card__reason" dir="auto" data-testid="earlier-explanation">
                        {unturned(&explanation)}
                    </p>
                    {parse_error.map(|error| view! { <NotRead error/> }.into_any())}
                    {(!is_present && !verdicts.is_empty()).then(|| view! { <VerdictCards verdicts is_earlier=true/> }.into_any())}
                    {(!is_present).then(|| view! { <Taken fields testid="earlier-extracted"/> }.into_any())}
                </div>
            </details>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_counted() {
        assert_eq!(more_words(1), "1 older one is not shown.");
        assert_eq!(more_words(5), "5 older ones are not shown.");
    }
}
