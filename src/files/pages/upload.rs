//! Files that come in, and those that take the place of others.

use leptos::{html::Input, prelude::*};
use leptos_router::location::Url;

use crate::{
    files::dto::{ACCEPTED, TenantFile},
    shared::{TenantId, wire},
    ui::{
        badge::Tone,
        host::{self, Chosen},
        icons::{Glyph, Icon},
        upload::{Arrivals, Outcome, Outgoing, Target, UploadForm, Uploads},
    },
};

/// Files that are on their way at once. The server takes few of a tenant.
pub const LANES: usize = 2;

/// Where the API has the file of this path.
fn address_of(tenant: &TenantId, path: &str) -> String {
    let escaped: Vec<String> = path.split('/').map(Url::escape).collect();
    format!("/api/files/{}?tenant_id={tenant}", escaped.join("/"))
}

/// A file, to be stored under a path of the tenant.
fn outgoing(tenant: &TenantId, path: String, file: Chosen) -> Outgoing {
    let address = address_of(tenant, &path);
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
        Ok(answer) => match wire::read::<TenantFile>(answer).ok().and_then(|file| file.unreadable) {
            Some(why) => (Tone::Attention, format!("{path} is stored, but it cannot be read: {why}.")),
            None => (Tone::Good, format!("{path} is stored.")),
        },
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

/// The way to the file itself. The server has no browser show it.
#[component]
pub fn Download(tenant_id: TenantId, path: String) -> impl IntoView {
    let href = address_of(&tenant_id, &path);
    view! {
        <a class="button" href=href download rel="external" data-testid="download">
            <Icon glyph=Glyph::Download/>
            "Download"
            <span class="visually-hidden">{format!(" {path}")}</span>
        </a>
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_and_cannot_be_read_is_told_so() {
        let file = r#"{"path": "a.csv", "size": 2, "modified_at": null, "used_by": ["a"]}"#;
        let unreadable = file.replace('}', r#", "unreadable": "the file is no CSV"}"#);
        let told = |answer| {
            let Outcome { tone, text, .. } = told("a.csv", answer);
            (tone.class(), text)
        };
        assert_eq!(told(Ok(file)), (Tone::Good.class(), "a.csv is stored.".to_owned()));
        let words = "a.csv is stored, but it cannot be read: the file is no CSV.";
        assert_eq!(told(Ok(unreadable.as_str())), (Tone::Attention.class(), words.to_owned()));
        assert_eq!(told(Err("It is full")).0, Tone::Bad.class());
    }
}
