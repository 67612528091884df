//! Files that come in, and those that take the place of others.

use leptos::{html::Input, prelude::*};
use leptos_router::location::Url;

use crate::{
    files::dto::ACCEPTED,
    shared::TenantId,
    ui::{
        badge::Tone,
        host::{self, Chosen},
        icons::{Glyph, Icon},
        upload::{Arrivals, Outcome, Outgoing, Target, UploadForm, Uploads},
    },
};

/// Files that are on their way at once. The server takes few of a tenant.
pub const LANES: usize = 2;

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
        <UploadForm id="upload-field" label="File" accept=ACCEPTED button="Upload" action send/>
        <Arrivals uploads/>
    }
}

/// What came of a file.
pub fn told(path: &str, answer: Result<&str, &str>) -> Outcome {
    let (tone, text) = match answer {
        Ok(_) => (Tone::Good, format!("{path} is stored.")),
        Err(why) => (Tone::Bad, format!("{path} was not stored: {why}")),
    };
    Outcome { tone, text, lines: Vec::new() }
}

/// Puts other files in the place of those that are there, whatever their own names. By one field: the rows are made anew
/// when a file has come in, and the system's window may be open then.
#[derive(Clone, Copy)]
pub struct Replacing {
    field: NodeRef<Input>,
    /// Whose place is taken by what is chosen next.
    place: StoredValue<Option<(TenantId, String)>>,
}

impl Replacing {
    pub fn new() -> Self {
        Self { field: NodeRef::new(), place: StoredValue::new(None) }
    }

    /// Asks for the file that takes the place of this one.
    fn ask(self, tenant: TenantId, path: String) {
        let field = self.field.try_get_untracked().flatten();
        if let Some(field) = field
            && self.place.try_set_value(Some((tenant, path))).is_none()
        {
            field.click();
        }
    }
}

/// The field of those that are replaced, which nobody sees.
#[component]
pub fn ReplaceField(replacing: Replacing, uploads: Uploads) -> impl IntoView {
    let Replacing { field, place } = replacing;
    view! {
        <input
            node_ref=field
            type="file"
            accept=ACCEPTED
            hidden
            data-testid="replace-field"
            on:change=move |event| {
                let files = host::chosen_files(&event);
                if let Some((tenant, path)) = place.get_value() {
                    let files = files.into_iter().map(|file| outgoing(&tenant, path.clone(), file));
                    uploads.send(files.collect());
                }
            }
        />
    }
}

/// The button that asks for another file in the place of one. Needs a script, and shows only where there is one.
#[component]
pub fn Replace(tenant_id: TenantId, path: String, replacing: Replacing) -> impl IntoView {
    let name = format!(" {path}");
    view! {
        <button
            type="button"
            class="button needs-script"
            data-testid="replace"
            on:click=move |_| replacing.ask(tenant_id.clone(), path.clone())
        >
            <Icon glyph=Glyph::Switch/>
            "Replace"
            <span class="visually-hidden">{name}</span>
        </button>
    }
}
