//! Files that come in, and those that take the place of others.

use leptos::prelude::*;
use leptos_router::location::Url;

use crate::{
    shared::TenantId,
    ui::{
        badge::Tone,
        host::{self, Chosen},
        icons::{Glyph, Icon},
        react::effect,
        upload::{Arrivals, Outgoing, Target, UploadForm, Uploads},
    },
};

/// Files that are on their way at once. The server takes few of a tenant.
pub const LANES: usize = 2;

const KINDS: &str = ".csv,.tsv,.txt,.xlsx,.xlsm,.json,.jsonl,.ndjson,.sqlite,.sqlite3,.db,.geojson";

/// A file, to be stored under a path of the tenant.
fn outgoing(tenant: &TenantId, path: String, file: Chosen) -> Outgoing {
    let escaped: Vec<String> = path.split('/').map(Url::escape).collect();
    let address = format!("/api/files/{}?tenant_id={tenant}", escaped.join("/"));
    Outgoing { name: path, file, target: Target { method: "PUT", address, kind_of: None } }
}

/// A plain form, which sends one file without help; where the browser runs it, several, and dropped ones.
#[component]
pub fn Upload(tenant_id: TenantId, uploads: Uploads) -> impl IntoView {
    let action = format!("/api/files?tenant_id={tenant_id}");
    let send = Callback::new(move |files: Vec<Chosen>| {
        uploads.send(files.into_iter().map(|file| outgoing(&tenant_id, file.name(), file)).collect());
    });
    view! {
        <UploadForm id="upload-field" label="File" accept=KINDS button="Upload" action send/>
        <Arrivals uploads told/>
    }
}

fn told(path: &str, answer: Result<&str, &str>) -> AnyView {
    let (tone, glyph, text) = match answer {
        Ok(_) => (Tone::Good, Glyph::Accept, format!("{path} is stored.")),
        Err(why) => (Tone::Bad, Glyph::Alert, format!("{path} was not stored: {why}")),
    };
    view! {
        <p class=format!("notice {}", tone.class()) data-testid="upload-outcome">
            <Icon glyph/>
            <span>{text}</span>
        </p>
    }
    .into_any()
}

/// Puts another file in the place of one, whatever its own name. Needs a script, and shows only where there is one.
#[component]
pub fn Replace(tenant_id: TenantId, path: String, uploads: Uploads) -> impl IntoView {
    let has_script = RwSignal::new(false);
    effect(move || has_script.set(true));
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
                            let files = place
                                .with_value(|(tenant, path)| {
                                    files
                                        .into_iter()
                                        .map(|file| outgoing(tenant, path.clone(), file))
                                        .collect()
                                });
                            uploads.send(files);
                        }
                    />
                </label>
            }
        })
    }
}
