//! Files on their way to the server: chosen or dropped, several at once, each with how far it is.

use std::sync::Arc;

use leptos::prelude::*;

use super::{
    badge::Tone,
    each::Each,
    host::{self, Chosen},
    icons::{Glyph, Icon},
    panel::words_of,
    react::effect,
    toast::{Toasts, use_toasts},
};
use crate::shared::Problem;

/// A file that is to be sent.
pub struct Outgoing {
    /// What it is called beside what came of it.
    pub name: String,
    pub file: Chosen,
    pub target: Target,
}

/// Where a file goes, and as what.
pub struct Target {
    pub method: &'static str,
    pub address: String,
    /// Finds its content type out; without it, the browser says what it takes it for.
    pub kind_of: Option<KindOf>,
}

/// The content type of a file that has this name and begins so.
pub type KindOf = fn(name: &str, beginning: &str) -> &'static str;

/// What is said of a file of this name: by the body of the server's answer, or why it was refused.
pub type Told = fn(name: &str, answer: Result<&str, &str>) -> Outcome;

/// What came of a file, in words.
pub struct Outcome {
    pub tone: Tone,
    pub text: String,
    /// What is to be said of parts of it, after its text.
    pub lines: Vec<String>,
}

impl Outcome {
    fn of(told: Told, name: &str, answer: &Result<String, Problem>) -> Self {
        match answer {
            Ok(answer) => told(name, Ok(answer.as_str())),
            Err(problem) => {
                let why =
                    problem.errors.first().map_or_else(|| words_of(problem), |error| error.message.clone());
                told(name, Err(&why))
            }
        }
    }

    fn is_good(&self) -> bool {
        matches!(self.tone, Tone::Good | Tone::Quiet)
    }

    /// In a sentence, for which there is little room.
    fn notice(&self) -> String {
        let mut text = self.text.clone();
        for line in self.lines.iter().take(MOST_LINES) {
            text = text + " " + line + ".";
        }
        if self.lines.len() > MOST_LINES { text + " …" } else { text }
    }
}

/// A notice says so much of a file's parts.
const MOST_LINES: usize = 2;

/// And names so many files.
const MOST_NAMES: usize = 3;

/// What came of files that were sent together, by their names, for which there is little room.
fn notice_of(batch: &[(&str, Outcome)]) -> String {
    if let [(_, outcome)] = batch {
        return outcome.notice();
    }
    let refused = batch.iter().filter(|(_, outcome)| !outcome.is_good()).map(|(name, _)| *name);
    let refused: Vec<&str> = refused.collect();
    let count = batch.len();
    if refused.is_empty() {
        return format!("{count} files came in.");
    }
    let named = refused.iter().take(MOST_NAMES).copied().collect::<Vec<_>>().join(", ");
    let more = if refused.len() > MOST_NAMES { " …" } else { "" };
    format!("{} of {count} files came in. Refused, in whole or in part: {named}{more}", count - refused.len())
}

/// Rises with each file that was stored. The application's own: the page that sent a file may be another by then.
#[derive(Clone, Copy)]
pub struct StoredFiles(RwSignal<u32>);

impl StoredFiles {
    pub fn provide() -> Self {
        let stored = Self(RwSignal::new(0));
        provide_context(stored);
        stored
    }
}

/// What is coming in. It goes on when the page is left, or what shows it is closed: what comes then of files that were
/// sent together is told by one notice.
#[derive(Clone, Copy)]
pub struct Uploads {
    shown: RwSignal<Vec<Coming>>,
    stored: StoredFiles,
    begun: StoredValue<u32>,
    /// How often it is shown now.
    watched: StoredValue<u32>,
    /// Files that are on their way at once; the others wait.
    lanes: usize,
    told: Told,
    toasts: Toasts,
}

/// Its signals are nobody's: what sends it, such as a row or a window, may be gone before it has arrived.
#[derive(Clone)]
struct Coming {
    key: u32,
    name: String,
    /// From 0 to 1.
    sent: ArcRwSignal<f64>,
    /// The body of the server's answer.
    outcome: ArcRwSignal<Option<Result<String, Problem>>>,
}

impl Uploads {
    /// Of files that are sent together, so many are on their way at once.
    pub fn new(lanes: usize, told: Told) -> Self {
        Self {
            shown: RwSignal::new(Vec::new()),
            stored: use_context().unwrap_or_else(StoredFiles::provide),
            begun: StoredValue::new(0),
            watched: StoredValue::new(0),
            lanes: lanes.max(1),
            told,
            toasts: use_toasts(),
        }
    }

    /// Another number after each file that was stored.
    pub fn stored(self) -> u32 {
        self.stored.0.get()
    }

    /// Sends files. They take the place of those that have arrived.
    pub fn send(self, files: Vec<Outgoing>) {
        if files.is_empty() {
            return;
        }
        let mut shown = self.shown.get_untracked();
        shown.retain(|coming| coming.outcome.with_untracked(Option::is_none));
        let mut batch = Vec::new();
        let mut lanes: Vec<Vec<(Coming, Outgoing)>> = (0..self.lanes).map(|_| Vec::new()).collect();
        for (i, file) in files.into_iter().enumerate() {
            let key = self.begun.get_value();
            self.begun.set_value(key.wrapping_add(1));
            let (sent, outcome) = (ArcRwSignal::new(0.0), ArcRwSignal::new(None));
            let coming = Coming { key, name: file.name.clone(), sent, outcome };
            batch.push(coming.clone());
            lanes[i % self.lanes].push((coming, file));
        }
        shown.extend(batch.iter().cloned());
        self.shown.set(shown);
        let batch: Arc<[Coming]> = batch.into();
        for lane in lanes {
            self.send_next(lane.into_iter(), Arc::clone(&batch));
        }
    }

    /// Sends the first, and when that has ended, the others.
    fn send_next(self, mut lane: std::vec::IntoIter<(Coming, Outgoing)>, batch: Arc<[Coming]>) {
        let Some((coming, Outgoing { file, target, .. })) = lane.next() else { return };
        let Coming { sent, outcome, .. } = coming;
        host::send(
            &file,
            target,
            move |part| sent.set(part),
            move |result| {
                let is_stored = result.is_ok();
                outcome.set(Some(result));
                if is_stored {
                    self.stored.0.update(|count| *count += 1);
                }
                self.tell_unwatched(&batch);
                self.send_next(lane, batch);
            },
        );
    }

    /// Tells what came of files that were sent together, once it has come of all of them, where that is not shown.
    fn tell_unwatched(self, batch: &[Coming]) {
        if self.watched.try_get_value().is_some_and(|watched| watched > 0) {
            return;
        }
        let outcome_of = |coming: &Coming| {
            coming.outcome.with_untracked(|answer| {
                answer.as_ref().map(|answer| Outcome::of(self.told, &coming.name, answer))
            })
        };
        let outcomes = batch.iter().map(|coming| Some((coming.name.as_str(), outcome_of(coming)?)));
        let Some(outcomes) = outcomes.collect::<Option<Vec<_>>>() else { return };
        let text = notice_of(&outcomes);
        if outcomes.iter().all(|(_, outcome)| outcome.is_good()) {
            self.toasts.done(text);
        } else {
            self.toasts.refused(&Problem::business_rule(text));
        }
    }
}

/// A form whose files are chosen or dropped, several at once. Without a script it sends one to `action`, as its field `file`.
#[component]
pub fn UploadForm(
    /// The id of its field, one of a kind on the page.
    id: &'static str,
    label: &'static str,
    /// What is offered for choice, as in `.csv,.tsv`.
    #[prop(optional)]
    accept: Option<&'static str>,
    /// The button's words.
    button: &'static str,
    #[prop(optional)] action: Option<String>,
    send: Callback<Vec<Chosen>>,
) -> impl IntoView {
    let is_over = RwSignal::new(false);
    let takes_several = RwSignal::new(false);
    effect(move || takes_several.set(true));
    view! {
        <form
            method="post"
            action=action
            enctype="multipart/form-data"
            class="panel upload"
            class:upload--over=move || is_over.get()
            data-testid="upload"
            on:submit=move |event| {
                event.prevent_default();
                send.run(host::files_of(id));
            }
            on:dragover=move |event| {
                event.prevent_default();
                is_over.set(true);
            }
            on:dragleave=move |_| is_over.set(false)
            on:drop=move |event| {
                event.prevent_default();
                is_over.set(false);
                send.run(host::dropped_files(&event));
            }
        >
            <label class="field">
                <span class="field__label">{label}</span>
                <input id=id type="file" name="file" required accept=accept prop:multiple=takes_several/>
            </label>
            <button type="submit" class="button button--primary">
                <Icon glyph=Glyph::Upload/>
                {button}
            </button>
            <p class="hint upload__hint">
                {move || {
                    takes_several
                        .get()
                        .then(|| {
                            view! {
                                "Several at once"
                                <span class="with-mouse">", or drop them here"</span>
                                "."
                            }
                        })
                }}
            </p>
        </form>
    }
}

/// What is coming in, and what came of it.
#[component]
pub fn Arrivals(uploads: Uploads) -> impl IntoView {
    uploads.watched.update_value(|watched| *watched += 1);
    on_cleanup(move || {
        // The page may have been left before.
        let _ = uploads.watched.try_update_value(|watched| *watched -= 1);
    });
    view! {
        <div class="arrivals" role="status" aria-atomic="false">
            <Each each=move || uploads.shown.get() key=|coming| coming.key let:coming>
                <Arrival coming told=uploads.told/>
            </Each>
        </div>
    }
}

/// One file, and how far it is.
#[component]
fn Arrival(coming: Coming, told: Told) -> impl IntoView {
    let Coming { name, sent, outcome, .. } = coming;
    move || match outcome.get() {
        None => {
            let (label, sent) = (format!("Sending {name}"), sent.clone());
            // Once all has gone, the bar only says that the server is at it.
            let part = move || Some(sent.get()).filter(|part| *part < 1.0).map(|part| part.to_string());
            view! {
                <p class="notice tone-quiet" data-testid="uploading">
                    <Icon glyph=Glyph::Upload/>
                    <span>{name.clone()}</span>
                    <progress max="1" aria-label=label value=part></progress>
                </p>
            }
            .into_any()
        }
        Some(answer) => view! { <Came outcome=Outcome::of(told, &name, &answer)/> }.into_any(),
    }
}

/// What came of one.
#[component]
fn Came(outcome: Outcome) -> impl IntoView {
    let glyph = if outcome.is_good() { Glyph::Accept } else { Glyph::Alert };
    let Outcome { tone, text, lines } = outcome;
    let list = (!lines.is_empty()).then(|| {
        let items = lines.into_iter().map(|line| view! { <li>{line}</li> }.into_any()).collect_view();
        view! { <ul>{items}</ul> }
    });
    view! {
        <div class=format!("notice {}", tone.class()) data-testid="upload-outcome">
            <Icon glyph/>
            <div>
                <p>{text}</p>
                {list}
            </div>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_little_of_many_files() {
        let outcome = |tone: Tone| Outcome { tone, text: "It is told.".to_owned(), lines: Vec::new() };
        let notice = |batch: &[(&'static str, Tone)]| {
            notice_of(&batch.iter().map(|(name, tone)| (*name, outcome(*tone))).collect::<Vec<_>>())
        };
        assert_eq!(notice(&[("a", Tone::Bad)]), "It is told.");
        assert_eq!(notice(&[("a", Tone::Good), ("b", Tone::Quiet)]), "2 files came in.");
        assert_eq!(
            notice(&[("a", Tone::Bad), ("b", Tone::Good), ("c", Tone::Attention)]),
            "1 of 3 files came in. Refused, in whole or in part: a, c"
        );
        assert_eq!(
            notice(&["a", "b", "c", "d"].map(|name| (name, Tone::Bad))),
            "0 of 4 files came in. Refused, in whole or in part: a, b, c …"
        );
    }

    #[test]
    fn a_notice_says_little_of_the_parts() {
        let outcome = |count: usize| {
            let lines = (1..=count).map(|number| format!("Message {number}: It is empty")).collect();
            Outcome { tone: Tone::Attention, text: "a.mbox: refused:".to_owned(), lines }
        };
        assert_eq!(outcome(0).notice(), "a.mbox: refused:");
        assert_eq!(outcome(1).notice(), "a.mbox: refused: Message 1: It is empty.");
        assert_eq!(outcome(9).notice(), "a.mbox: refused: Message 1: It is empty. Message 2: It is empty. …");
    }
}
