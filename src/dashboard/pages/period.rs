//! What happened in a period: decisions over time, the busiest intents, the rules that fail most, and how it runs.

use leptos::prelude::*;

use crate::{
    app::tenant_page,
    dashboard::dto::{Column, Health, IntentShare, MOST_COUNTED, Period, RuleShare, Times},
    shared::TenantId,
    ui::{
        badge::Tone,
        chart::{Bar, Part, Stack, StackedColumns},
        step::Step,
    },
};

const PARTS: &[Part] = &[
    Part { words: "Accepted", tone: Tone::Good },
    Part { words: "Rejected", tone: Tone::Bad },
    Part { words: "For review", tone: Tone::Attention },
    Part { words: "Waiting", tone: Tone::Quiet },
];

/// Decisions over time, and the choice of the period.
#[component]
pub fn OverTime(tenant: TenantId, period: Period, columns: Vec<Column>) -> impl IntoView {
    let total: i64 = columns.iter().map(Column::total).sum();
    let title = format!("Messages in {} by decision, {total} in all", period.words());
    let stacks = columns
        .into_iter()
        .map(|column| Stack {
            at: column.at,
            sizes: vec![column.accepted, column.rejected, column.review, column.waiting],
        })
        .collect();
    let choices = [(Period::Day, "Day"), (Period::Week, "Week"), (Period::Month, "Month")]
        .map(|(choice, words)| {
            let query = if choice == Period::Day { String::new() } else { format!("?period={choice}") };
            view! {
                <a
                    class="tabs__tab"
                    href=tenant_page(&tenant, "") + &query
                    data-noscroll="true"
                    aria-current=(choice == period).then_some("true")
                    data-testid=format!("period-{choice}")
                >
                    {words}
                </a>
            }
        })
        .collect_view();
    view! {
        <section class="section" aria-labelledby="over-time" data-testid="over-time">
            <Step>
                <div class="section__head">
                    <h2 id="over-time">"Decisions over time"</h2>
                    <nav class="tabs" aria-label="Period">{choices}</nav>
                </div>
                <div class="panel">
                    <StackedColumns title parts=PARTS stacks/>
                </div>
            </Step>
        </section>
    }
}

/// The busiest intents.
#[component]
pub fn Intents(tenant: TenantId, intents: Vec<IntentShare>) -> impl IntoView {
    let most = intents.iter().map(|share| share.messages).max().unwrap_or_default();
    let items = intents
        .into_iter()
        .map(|share| {
            let is_none = share.name.is_none();
            let name = share.name.unwrap_or_else(|| "No intent".to_owned());
            // Of an intent that was deleted there is no list.
            let query = match (share.intent_id, is_none) {
                (Some(id), _) => Some(format!("?intent={id}")),
                (None, true) => Some("?status=done&intent=none".to_owned()),
                (None, false) => None,
            };
            let name = match query {
                Some(query) => {
                    let href = tenant_page(&tenant, "/messages") + &query;
                    view! { <a href=href>{name}</a> }.into_any()
                }
                None => view! { <span>{name}</span> }.into_any(),
            };
            view! {
                <li class="share">
                    <span class="share__name">{name}</span>
                    <span class="share__count">{share.messages}</span>
                    <Bar part=share.messages whole=most tone=Tone::Quiet/>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="panel" aria-labelledby="busiest" data-testid="busiest">
            <Step>
                <h2 id="busiest">"Busiest intents"</h2>
                {if items.is_empty() {
                    view! { <p class="hint">"No message was decided."</p> }.into_any()
                } else {
                    view! { <ul class="shares">{items}</ul> }.into_any()
                }}
            </Step>
        </section>
    }
}

/// The rules that fail most.
#[component]
pub fn Rules(tenant: TenantId, rules: Vec<RuleShare>) -> impl IntoView {
    let items = rules
        .into_iter()
        .map(|share| {
            let told = match share.errors {
                0 => format!("{} of {} failed", share.failed, share.asked),
                errors => {
                    format!("{} of {} failed, {errors} could not be checked", share.failed, share.asked)
                }
            };
            let named = match share.intent_id.zip(share.intent) {
                Some((id, intent)) => {
                    let href = tenant_page(&tenant, &format!("/intents/{id}"));
                    view! {
                        <span class="share__name">
                            <a href=href>{intent}</a>
                        </span>
                        <span class="hint">{told}</span>
                        <span class="share__name">{share.demand}</span>
                    }
                    .into_any()
                }
                None => view! {
                    <span class="share__name">{share.demand}</span>
                    <span class="hint">{told}</span>
                }
                .into_any(),
            };
            view! {
                <li class="share">
                    {named}
                    <Bar part=share.failed whole=share.asked tone=Tone::Bad/>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="panel" aria-labelledby="failing" data-testid="failing">
            <Step>
                <h2 id="failing">"Rules that fail most"</h2>
                {if items.is_empty() {
                    view! { <p class="hint">"No rule failed."</p> }.into_any()
                } else {
                    view! { <ul class="shares">{items}</ul> }.into_any()
                }}
            </Step>
        </section>
    }
}

/// How fast it decides, and what is stuck.
#[component]
pub fn HealthPanel(tenant: TenantId, times: Times, health: Health) -> impl IntoView {
    let waiting = match health.oldest {
        Some(age) if health.waiting > 0 => {
            format!("{}, the oldest for {}", health.waiting, duration_words(age))
        }
        _ => health.waiting.to_string(),
    };
    let lines = [
        (
            "Half are decided within",
            times.median.map_or_else(|| "no decision yet".to_owned(), duration_words),
            None,
        ),
        ("95 of 100 within", times.p95.map_or_else(|| "no decision yet".to_owned(), duration_words), None),
        ("Waiting for a decision", waiting, Some("?status=waiting")),
        ("Deliveries on their way", health.deliveries_pending.to_string(), Some("?delivery=pending")),
        ("Deliveries given up", count_words(health.deliveries_failed), Some("?delivery=failed")),
    ]
    .map(|(words, value, query)| {
        let words = match query {
            Some(query) => {
                let href = tenant_page(&tenant, "/messages") + query;
                view! { <a href=href>{words}</a> }.into_any()
            }
            None => words.into_any(),
        };
        view! {
            <div class="keys__line">
                <dt>{words}</dt>
                <dd class="number">{value}</dd>
            </div>
        }
    })
    .collect_view();
    view! {
        <section class="panel" aria-labelledby="health" data-testid="health">
            <Step>
                <h2 id="health">"How it runs"</h2>
                <dl>{lines}</dl>
            </Step>
        </section>
    }
}

/// `17`, and `1,000+` where no more were counted.
fn count_words(count: i64) -> String {
    if count > MOST_COUNTED { "1,000+".to_owned() } else { count.to_string() }
}

/// `0.4 s`, `12 s`, `3 min`, `5 h`, `2 days`.
fn duration_words(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_COUNTED, count_words, duration_words};

    #[test]
    fn a_count_that_was_broken_off_says_so() {
        let words = [0, MOST_COUNTED, MOST_COUNTED + 1].map(count_words);
        assert_eq!(words, ["0", "1000", "1,000+"]);
    }

    #[test]
    fn a_duration_is_read_at_a_glance() {
        for (seconds, words) in [
            (0.04, "0.0 s"),
            (9.9, "9.9 s"),
            (60.0, "60 s"),
            (600.0, "10 min"),
            (10_000.0, "3 h"),
            (260_000.0, "3 days"),
        ] {
            assert_eq!(duration_words(seconds), words);
        }
    }
}
