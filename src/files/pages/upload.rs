//! Files on their way in: chosen or dropped, several at once, each with how far it is.

use leptos::prelude::*;

use crate::{
    shared::{Problem, TenantId},
    ui::{
        badge::Tone,
        host::{self, Chosen},
        icons::{Glyph, Icon},
    },
};

/// Files that are on their way at once; the others wait. The server takes few of a tenant.
const LANES: usize = 2;

const FIELD: &str = "upload-field";
const KINDS: &str = ".csv,.tsv,.txt,.xlsx,.xlsm,.json,.jsonl,.ndjson,.sqlite,.sqlite3,.db,.geojson";

/// What is coming in.
#[derive(Clone, Copy)]
pub struct Uploads {
    shown: RwSignal<Vec<Coming>>,
    stored: RwSignal<u32>,
}

#[derive(Clone)]
struct Coming {
    key: u32,
    path: String,
    /// From 0 to 1.
    sent: RwSignal<f64>,
    outcome: RwSignal<Option<Result<(), Problem>>>,
}

impl Uploads {
    pub fn new() -> Self {
        Self { shown: RwSignal::new(Vec::new()), stored: RwSignal::new(0) }
    }

    /// Another number after each file that was stored.
    pub fn stored(self) -> u32 {
        self.stored.get()
    }

    /// Sends files, each to the path that is given with it.
    fn send(self, tenant: &TenantId, files: Vec<(String, Chosen)>) {
        if files.is_empty() {
            return;
        }
        let mut shown = Vec::new();
        let mut lanes: [Vec<_>; LANES] = Default::default();
        for (key, (path, file)) in (0..).zip(files) {
            let coming = Coming {
                key: self.stored.get_untracked().wrapping_mul(1_000).wrapping_add(key),
                path,
                sent: RwSignal::new(0.0),
                outcome: RwSignal::new(None),
            };
            shown.push(coming.clone());
            lanes[shown.len() % LANES].push((coming, file));
        }
        self.shown.set(shown);
        for lane in lanes {
            self.send_next(tenant.clone(), lane.into_iter());
        }
    }

    /// Sends the first, and when that has ended, the others.
    fn send_next(self, tenant: TenantId, mut lane: std::vec::IntoIter<(Coming, Chosen)>) {
        let Some((coming, file)) = lane.next() else { return };
        let (path, sent, outcome, stored) = (coming.path, coming.sent, coming.outcome, self.stored);
        let to = tenant.clone();
        host::upload(
            &file,
            to.as_str(),
            &path,
            // The page may have been left meanwhile: then its signals are gone.
            move |part| {
                sent.try_set(part);
            },
            move |result| {
                let is_stored = result.is_ok();
                outcome.try_set(Some(result));
                if is_stored {
                    stored.try_update(|count| *count += 1);
                }
                self.send_next(tenant, lane);
            },
        );
    }
}

/// A plain form, which sends one file without help; where the browser runs it, several, and dropped ones.
#[component]
pub fn Upload(tenant_id: TenantId, uploads: Uploads) -> impl IntoView {
    let action = format!("/api/files?tenant_id={tenant_id}");
    let is_over = RwSignal::new(false);
    let takes_several = RwSignal::new(false);
    Effect::new(move |_| takes_several.set(true));
    let place = StoredValue::new(tenant_id);
    let send = move |files: Vec<Chosen>| {
        let files = files.into_iter().map(|file| (file.name(), file)).collect();
        place.with_value(|tenant| uploads.send(tenant, files));
    };
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
                send(host::files_of(FIELD));
            }
            on:dragover=move |event| {
                event.prevent_default();
                is_over.set(true);
            }
            on:dragleave=move |_| is_over.set(false)
            on:drop=move |event| {
                event.prevent_default();
                is_over.set(false);
                send(host::dropped_files(&event));
            }
        >
            <label class="field">
                <span class="field__label">"File"</span>
                <input id=FIELD type="file" name="file" required accept=KINDS prop:multiple=takes_several/>
            </label>
            <button type="submit" class="button button--primary">
                <Icon glyph=Glyph::Upload/>
                "Upload"
            </button>
            <p class="hint upload__hint">
                {move || takes_several.get().then_some("Several at once, or drop them here.")}
            </p>
        </form>
        <div role="status">
            <For each=move || uploads.shown.get() key=|coming| coming.key let:coming>
                <Arrival coming/>
            </For>
        </div>
    }
}

/// One file, and how far it is.
#[component]
fn Arrival(coming: Coming) -> impl IntoView {
    let Coming { path, sent, outcome, .. } = coming;
    move || {
        let (tone, glyph, text) = match outcome.get() {
            None => {
                let label = format!("Sending {path}");
                return view! {
                    <p class="notice tone-quiet" data-testid="uploading">
                        <Icon glyph=Glyph::Upload/>
                        <span>{path.clone()}</span>
                        <progress max="1" aria-label=label prop:value=move || sent.get()></progress>
                    </p>
                }
                .into_any();
            }
            Some(Ok(())) => (Tone::Good, Glyph::Accept, format!("{path} is stored.")),
            Some(Err(problem)) => {
                let why =
                    problem.errors.first().map_or(problem.detail.clone(), |error| error.message.clone());
                (Tone::Bad, Glyph::Alert, format!("{path} was not stored: {why}"))
            }
        };
        view! {
            <p class=format!("notice {}", tone.class()) data-testid="upload-outcome">
                <Icon glyph/>
                <span>{text}</span>
            </p>
        }
        .into_any()
    }
}

/// Puts another file in the place of one, whatever its own name. Needs a script, and shows only where there is one.
#[component]
pub fn Replace(tenant_id: TenantId, path: String, uploads: Uploads) -> impl IntoView {
    let has_script = RwSignal::new(false);
    Effect::new(move |_| has_script.set(true));
    let place = StoredValue::new((tenant_id, path));
    move || {
        has_script.get().then(|| {
            let name = place.with_value(|(_, path)| format!(" {path}"));
            view! {
                <label class="button upload__replace">
                    <Icon glyph=Glyph::Switch/>
                    "Replace"
                    <span class="visually-hidden">{name}</span>
                    <input
                        type="file"
                        accept=KINDS
                        data-testid="replace"
                        on:change=move |event| {
                            let files = host::chosen_files(&event);
                            place
                                .with_value(|(tenant, path)| {
                                    let files = files.into_iter().map(|file| (path.clone(), file)).collect();
                                    uploads.send(tenant, files);
                                });
                        }
                    />
                </label>
            }
        })
    }
}
