//! Files on their way to the server: chosen or dropped, several at once, each with how far it is.

use leptos::prelude::*;

use super::{
    each::Each,
    host::{self, Chosen},
    icons::{Glyph, Icon},
    react::effect,
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
pub type Told = fn(name: &str, answer: Result<&str, &str>) -> AnyView;

/// What is coming in.
#[derive(Clone, Copy)]
pub struct Uploads {
    shown: RwSignal<Vec<Coming>>,
    stored: RwSignal<u32>,
    begun: StoredValue<u32>,
    /// Files that are on their way at once; the others wait.
    lanes: usize,
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
    pub fn new(lanes: usize) -> Self {
        let (shown, stored) = (RwSignal::new(Vec::new()), RwSignal::new(0));
        Self { shown, stored, begun: StoredValue::new(0), lanes: lanes.max(1) }
    }

    /// Another number after each file that was stored.
    pub fn stored(self) -> u32 {
        self.stored.get()
    }

    /// Sends files. They take the place of those that have arrived.
    pub fn send(self, files: Vec<Outgoing>) {
        if files.is_empty() {
            return;
        }
        let mut shown = self.shown.get_untracked();
        shown.retain(|coming| coming.outcome.with_untracked(Option::is_none));
        let mut lanes: Vec<Vec<(Coming, Outgoing)>> = (0..self.lanes).map(|_| Vec::new()).collect();
        for (i, file) in files.into_iter().enumerate() {
            let key = self.begun.get_value();
            self.begun.set_value(key.wrapping_add(1));
            let (sent, outcome) = (ArcRwSignal::new(0.0), ArcRwSignal::new(None));
            let coming = Coming { key, name: file.name.clone(), sent, outcome };
            shown.push(coming.clone());
            lanes[i % self.lanes].push((coming, file));
        }
        self.shown.set(shown);
        for lane in lanes {
            self.send_next(lane.into_iter());
        }
    }

    /// Sends the first, and when that has ended, the others.
    fn send_next(self, mut lane: std::vec::IntoIter<(Coming, Outgoing)>) {
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
                    // The page may have been left meanwhile: then this is gone.
                    self.stored.try_update(|count| *count += 1);
                }
                self.send_next(lane);
            },
        );
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
                {move || takes_several.get().then_some("Several at once, or drop them here.")}
            </p>
        </form>
    }
}

/// What is coming in, and what came of it.
#[component]
pub fn Arrivals(uploads: Uploads, told: Told) -> impl IntoView {
    view! {
        <div class="arrivals" role="status" aria-atomic="false">
            <Each each=move || uploads.shown.get() key=|coming| coming.key let:coming>
                <Arrival coming told/>
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
        Some(Ok(answer)) => told(&name, Ok(answer.as_str())),
        Some(Err(problem)) => {
            let why = problem.errors.first().map_or(&problem.detail, |error| &error.message);
            told(&name, Err(why.as_str()))
        }
    }
}
