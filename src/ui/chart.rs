//! Charts: SVG that the server draws, with the numbers beside it for those who do not see it.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::{badge::Tone, host, time::in_utc};

use super::react::effect;

/// What one part of each column is called and looks like.
#[derive(Clone, Copy)]
pub struct Part {
    pub words: &'static str,
    pub tone: Tone,
}

/// One column: when it begins, and the size of each part, from the bottom.
#[derive(Clone)]
pub struct Stack {
    pub at: DateTime<Utc>,
    pub sizes: Vec<i64>,
}

/// The drawing's size, in units of its own.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 180.0;

/// The ids of the patterns. One chart a page.
const STRIPES: &str = "chart-stripes";
const DOTS: &str = "chart-dots";

/// What lies over a part, for those to whom the colours are alike; the style sheet gives its key in the legend the same.
fn pattern_of(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Bad => Some(STRIPES),
        Tone::Attention => Some(DOTS),
        Tone::Good | Tone::Quiet => None,
    }
}

/// Columns side by side, each of parts on top of each other. The scale begins at nothing.
#[component]
pub fn StackedColumns(
    /// What is shown, in a sentence.
    #[prop(into)]
    title: String,
    parts: &'static [Part],
    stacks: Vec<Stack>,
) -> impl IntoView {
    // As the server draws it, in UTC; then in the reader's zone.
    let is_here = RwSignal::new(false);
    effect(move || is_here.set(true));
    let when = move |at: DateTime<Utc>| {
        let local = is_here.get().then(|| host::local_time(at)).flatten();
        local.unwrap_or_else(|| in_utc(at))
    };
    let most = stacks.iter().map(|stack| stack.sizes.iter().sum::<i64>()).max().unwrap_or_default();
    let top = nice(most);
    let step = WIDTH / stacks.len().max(1) as f64;
    let bars = stacks
        .iter()
        .enumerate()
        .map(|(i, stack)| {
            let mut base = HEIGHT;
            let rects = stack
                .sizes
                .iter()
                .zip(parts)
                .filter(|(size, _)| **size > 0)
                .map(|(size, part)| {
                    let height = HEIGHT * *size as f64 / top as f64;
                    base -= height;
                    let rect = |class: String, fill: Option<String>| {
                        view! {
                            <rect
                                class=class
                                fill=fill
                                x=place(i as f64 * step + step * 0.14)
                                y=place(base)
                                width=place(step * 0.72)
                                height=place(height)
                            ></rect>
                        }
                    };
                    let pattern = pattern_of(part.tone)
                        .map(|id| rect("chart__pattern".to_owned(), Some(format!("url(#{id})"))));
                    view! {
                        {rect(format!("chart__part {}", part.tone.class()), None)}
                        {pattern}
                    }
                })
                .collect_view();
            let (at, sizes) = (stack.at, told(stack, parts));
            view! {
                <g>
                    <title>{move || format!("{}: {sizes}", when(at))}</title>
                    {rects}
                </g>
            }
        })
        .collect_view();
    let legend = parts
        .iter()
        .map(|part| {
            view! {
                <li class=format!("chart__key {}", part.tone.class())>{part.words}</li>
            }
            .into_any()
        })
        .collect_view();
    let ends = stacks.first().zip(stacks.last()).map(|(first, last)| {
        let (first, last) = (first.at, last.at);
        view! {
            <div class="chart__ends hint">
                <span>{move || when(first)}</span>
                <span>{move || when(last)}</span>
            </div>
        }
    });
    let rows = stacks
        .iter()
        .filter(|stack| stack.sizes.iter().any(|size| *size > 0))
        .map(|stack| {
            let cells = stack.sizes.iter().map(|size| view! { <td>{*size}</td> }.into_any()).collect_view();
            let at = stack.at;
            view! {
                <tr>
                    <th scope="row">{move || when(at)}</th>
                    {cells}
                </tr>
            }
        })
        .collect_view();
    let heads =
        parts.iter().map(|part| view! { <th scope="col">{part.words}</th> }.into_any()).collect_view();
    view! {
        <figure class="chart">
            <div class="chart__frame">
                <span class="chart__top hint" aria-hidden="true">{top}</span>
                <svg
                    class="chart__drawing"
                    viewBox=format!("0 0 {WIDTH} {HEIGHT}")
                    preserveAspectRatio="none"
                    role="img"
                    aria-label=title.clone()
                >
                    <defs>
                        <pattern id=STRIPES width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
                            <rect class="chart__figure" width="3" height="8"></rect>
                        </pattern>
                        <pattern id=DOTS width="8" height="8" patternUnits="userSpaceOnUse">
                            <circle class="chart__figure" cx="4" cy="4" r="2"></circle>
                        </pattern>
                    </defs>
                    <line class="chart__line" x1="0" x2=WIDTH y1=HEIGHT / 2.0 y2=HEIGHT / 2.0></line>
                    <line class="chart__line" x1="0" x2=WIDTH y1="0.5" y2="0.5"></line>
                    {bars}
                </svg>
            </div>
            {ends}
            <ul class="chart__keys">{legend}</ul>
            <details class="details">
                <summary>"The numbers"</summary>
                // It scrolls where the screen is narrow, so the keyboard must get there.
                <div class="rows" role="region" aria-label="The numbers" tabindex="0">
                    <table class="table">
                        <caption class="visually-hidden">{title}</caption>
                        <thead>
                            <tr>
                                <th scope="col">"From"</th>
                                {heads}
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            </details>
        </figure>
    }
    .into_any()
}

/// A share of a whole, as a bar.
#[component]
pub fn Bar(part: i64, whole: i64, tone: Tone) -> impl IntoView {
    let width = if whole > 0 { 100.0 * part as f64 / whole as f64 } else { 0.0 };
    view! {
        <svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false">
            <rect class="bar__whole" width="100" height="6"></rect>
            <rect class=format!("bar__part {}", tone.class()) width=place(width) height="6"></rect>
        </svg>
    }
}

/// A length without more digits than a screen has points for.
fn place(length: f64) -> String {
    format!("{length:.1}")
}

/// The smallest of 4, 10, 20, 40, 100 and so on that holds it: halves of it are whole numbers.
fn nice(most: i64) -> i64 {
    let mut tens = 1;
    loop {
        for step in [4, 10, 20] {
            if step * tens >= most {
                return step * tens;
            }
        }
        tens *= 10;
    }
}

fn told(stack: &Stack, parts: &[Part]) -> String {
    let sizes: Vec<String> = stack
        .sizes
        .iter()
        .zip(parts)
        .filter(|(size, _)| **size > 0)
        .map(|(size, part)| format!("{size} {}", part.words.to_lowercase()))
        .collect();
    if sizes.is_empty() { "nothing".to_owned() } else { sizes.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_round_number_that_can_be_halved() {
        for (most, top) in [(0, 4), (4, 4), (5, 10), (11, 20), (21, 40), (41, 100), (101, 200), (999, 1000)] {
            assert_eq!(nice(most), top);
        }
    }
}
