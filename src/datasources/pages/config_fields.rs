//! The fields of a config, as they stand in the editors.

use leptos::prelude::*;

use super::config_form::ConfigForm;
use crate::ui::{
    fields::{SelectField, TextArea, TextField},
    only::Only,
    react::{effect, memo},
};

const STAYS: &str = "Stored. Left empty, it stays as it is.";
const FILES: &str = "tenant-files";

/// Where it leads, then how it is signed in to.
#[component]
pub fn ConfigFields(
    form: ConfigForm,
    /// What the server's names of the fields begin with here.
    prefix: &'static str,
    /// The protocols to choose from.
    protocols: Signal<Vec<(String, String)>>,
    /// The tenant's files.
    files: Vec<String>,
) -> impl IntoView {
    let path = move |name: &str| format!("{prefix}{name}");
    let auth_types = memo(move || form.auth_types());
    // A sign-in that the protocol does not have is none.
    effect(move || {
        let fits = auth_types.read().iter().any(|(kind, _)| *kind == *form.auth_type.read_untracked());
        if !fits {
            form.auth_type.set("none".to_owned());
        }
    });
    let options =
        files.into_iter().map(|file| view! { <option value=file></option> }.into_any()).collect_view();
    view! {
        <datalist id=FILES>{options}</datalist>
        <SelectField
            label="Kind"
            path=path("protocol")
            value=form.protocol
            options=protocols
            testid="protocol"
        />
        {move || match form.protocol.get().as_str() {
            "http" => view! {
                <TextField
                    label="Address"
                    path=path("base_url")
                    value=form.url
                    kind="url"
                    placeholder="https://api.example.com/v1"
                    hint="The look-ups name paths below it."
                    testid="base-url"
                />
            }
            .into_any(),
            "sqlite" => view! { <PathField form path=path("connection_json.path")/> }.into_any(),
            "file" => view! { <FileFields form prefix/> }.into_any(),
            _ => view! { <ServerFields form prefix/> }.into_any(),
        }}
        <Only when=move || { auth_types.read().len() > 1 }>
            <SelectField
                label="Sign-in"
                path=path("auth_type")
                value=form.auth_type
                options=Signal::derive(move || auth_types.get())
                testid="auth-type"
            />
            <AuthFields form prefix/>
        </Only>
    }
}

#[component]
fn PathField(form: ConfigForm, path: String) -> impl IntoView {
    view! {
        <TextField
            label="File"
            path
            kind="name"
            value=form.path
            list=FILES
            placeholder="customers.csv"
            hint="One of the tenant’s files: its path, as the page Files lists it."
            testid="file-path"
        />
    }
}

#[component]
fn FileFields(form: ConfigForm, prefix: &'static str) -> impl IntoView {
    let path = move |name: &str| format!("{prefix}{name}");
    let formats = [
        ("", "by the file’s name"),
        ("csv", "CSV"),
        ("excel", "Excel"),
        ("json", "JSON"),
        ("jsonl", "JSON Lines"),
    ];
    let formats = formats.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    view! {
        <div class="fields">
            <PathField form path=path("connection_json.path")/>
            <SelectField
                label="Read as"
                path=path("driver_family")
                value=form.format
                options=Signal::stored(formats)
            />
        </div>
        <Only when=move || form.is_workbook()>
            <TextField
                label="Sheet"
                path=path("connection_json.sheet")
                value=form.sheet
                hint="Left empty, the first that is not hidden."
            />
        </Only>
        <Only when=move || form.is_json()>
            <TextField
                label="Where the rows are"
                path=path("connection_json.rows")
                value=form.rows
                is_code=true
                placeholder="$.items[*]"
                hint="A JSONPath. Left empty, the document itself."
            />
        </Only>
        <TextArea
            label="Further files, one a line"
            path=path("connection_json.tables")
            value=form.tables
            rows=2
            is_code=true
            placeholder="customers = crm.xlsx: Customers"
            hint="Queries name the file above data, and each of these as you call it. The sheet, or where a JSON document’s rows are, may follow a colon."
            testid="further-files"
        />
    }
}

#[component]
fn ServerFields(form: ConfigForm, prefix: &'static str) -> impl IntoView {
    let path = move |name: &str| format!("{prefix}connection_json.{name}");
    let modes = [("prefer", "if the server offers it"), ("require", "always")];
    let modes = modes.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    view! {
        <div class="fields">
            <TextField
                label="Host"
                path=path("host")
                kind="name"
                value=form.host
                placeholder="db.example.com"
                testid="host"
            />
            <TextField
                label="Port"
                path=path("port")
                kind="port"
                value=form.port
                hint="Left empty, the usual one."
                testid="port"
            />
            <TextField label="Database" path=path("database") value=form.database kind="name" testid="database"/>
            <SelectField
                label="Encrypted (TLS)"
                path=path("sslmode")
                value=form.tls
                options=Signal::stored(modes)
            />
        </div>
    }
}

#[component]
fn AuthFields(form: ConfigForm, prefix: &'static str) -> impl IntoView {
    let member =
        move |label: &'static str, name: &'static str, value: RwSignal<String>, kind: &'static str| {
            let hint = if form.is_stored(name) { STAYS } else { "" };
            view! {
                <TextField label path=format!("{prefix}auth_config.{name}") value kind hint testid=name/>
            }
            .into_any()
        };
    move || {
        let fields = match form.auth_type.get().as_str() {
            "basic" => vec![
                member("User name", "username", form.username, "name"),
                member("Password", "password", form.password, "password"),
            ],
            "bearer" => vec![member("Token", "token", form.token, "password")],
            "api_key" => {
                let places = [("header", "in a header"), ("query", "in the query")];
                let places = places.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
                let name = if form.key_place.get() == "query" {
                    member("Parameter", "query", form.key_name, "name")
                } else {
                    member("Header", "header", form.key_name, "name")
                };
                vec![
                    view! {
                        <SelectField
                            label="The key goes"
                            path=format!("{prefix}auth_config")
                            value=form.key_place
                            options=Signal::stored(places)
                        />
                    }
                    .into_any(),
                    name,
                    member("Key", "key", form.key, "password"),
                ]
            }
            "oauth" => vec![
                member("Token address", "token_url", form.token_url, "url"),
                member("Client id", "client_id", form.client_id, "name"),
                member("Client secret", "client_secret", form.client_secret, "password"),
                member("Scope", "scope", form.scope, "name"),
            ],
            _ => Vec::new(),
        };
        (!fields.is_empty()).then(|| view! { <div class="fields">{fields}</div> }.into_any())
    }
}
