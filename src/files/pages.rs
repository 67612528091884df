//! A tenant's files.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    api::{DeleteFile, list_files},
    dto::{Refusal, TenantFile},
};
use crate::{
    app::use_tenant,
    shared::TenantId,
    ui::{
        badge::Tone,
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::{ActionProblem, Empty},
        size::size_words,
        table::{Cell, DataTable},
        time::Timestamp,
    },
};

/// What file datasources and SQLite databases are read from.
#[component]
pub fn FilesPage() -> impl IntoView {
    let tenant = use_tenant();
    let delete = ServerAction::<DeleteFile>::new();
    let deletions = delete.version();
    let files = Resource::new(
        move || (tenant.id(), deletions.get()),
        |(tenant, _)| async move { list_files(tenant?).await },
    );
    let outcome = delete.value();
    view! {
        <PageHead
            title="Files"
            lead="Tables that rules look things up in: CSV, Excel, JSON and SQLite. A file of the same name is replaced."
            context=tenant.label()
        />
        <Outcome/>
        {move || tenant.id().ok().map(|tenant_id| view! { <Upload tenant_id/> })}
        <ActionProblem outcome/>
        <Load
            data=move || async move { Ok((tenant.id()?, files.await?)) }
            retry=move || files.refetch()
            view=move |(tenant_id, files): (TenantId, Vec<TenantFile>)| {
                if files.is_empty() {
                    return view! {
                        <Empty title="There are no files yet">
                            <p>"Choose one above, then name its path in a config of the protocol " <code>"file"</code> "."</p>
                        </Empty>
                    }
                    .into_any();
                }
                let rows = files
                    .into_iter()
                    .map(|file| view! { <FileRow tenant_id=tenant_id.clone() file delete/> })
                    .collect_view();
                view! {
                    <DataTable caption="Files" columns=&["File", "Size", "Used by", "Changed", "Delete"]>
                        {rows}
                    </DataTable>
                }
                .into_any()
            }
        />
    }
}

/// What came of the form that led here.
#[component]
fn Outcome() -> impl IntoView {
    let query = use_query_map();
    move || {
        let query = query.read();
        let problem = query.get("refused").and_then(|text| text.parse::<Refusal>().ok());
        let (tone, glyph, text) = match (problem, query.get("stored")) {
            (Some(refusal), _) => (Tone::Bad, Glyph::Alert, refusal.words().to_owned()),
            (None, Some(path)) => (Tone::Good, Glyph::Accept, format!("{path} is stored.")),
            (None, None) => return None,
        };
        Some(view! {
            <p class=format!("notice {}", tone.class()) role="status" data-testid="upload-outcome">
                <Icon glyph/>
                <span>{text}</span>
            </p>
        })
    }
}

/// A plain form: a browser sends a file of any size without help.
#[component]
fn Upload(tenant_id: TenantId) -> impl IntoView {
    let action = format!("/api/files?tenant_id={tenant_id}");
    view! {
        <form method="post" action=action enctype="multipart/form-data" class="filters" data-testid="upload">
            <label class="field field--search">
                <span class="field__label">"File"</span>
                <input
                    type="file"
                    name="file"
                    required
                    accept=".csv,.tsv,.txt,.xlsx,.xlsm,.json,.jsonl,.ndjson,.sqlite,.sqlite3,.db,.geojson"
                />
            </label>
            <button type="submit" class="button button--primary">
                <Icon glyph=Glyph::Upload/>
                "Upload"
            </button>
        </form>
    }
}

#[component]
fn FileRow(tenant_id: TenantId, file: TenantFile, delete: ServerAction<DeleteFile>) -> impl IntoView {
    let is_pending = delete.pending();
    let users = if file.used_by.is_empty() {
        view! { <span class="hint">"nothing"</span> }.into_any()
    } else {
        view! { <code>{file.used_by.join(", ")}</code> }.into_any()
    };
    // What a config leads to stays: the server refuses it too.
    let removal = if file.used_by.is_empty() {
        let path = file.path.clone();
        view! {
            <details class="details">
                <summary>"Delete …"</summary>
                <ActionForm action=delete>
                    <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
                    <input type="hidden" name="path" value=path.clone()/>
                    <button
                        type="submit"
                        class="button"
                        aria-busy=move || is_pending.get().to_string()
                        data-testid="delete-file"
                    >
                        {format!("Delete {path} for good")}
                    </button>
                </ActionForm>
            </details>
        }
        .into_any()
    } else {
        view! { <span class="hint">"in use"</span> }.into_any()
    };
    view! {
        <tr role="row" data-testid="file">
            <Cell label="File">
                <strong>
                    <code class="breakable">{file.path.clone()}</code>
                </strong>
            </Cell>
            <Cell label="Size">{size_words(file.size)}</Cell>
            <Cell label="Used by">{users}</Cell>
            <Cell label="Changed">{file.modified_at.map(|at| view! { <Timestamp at/> })}</Cell>
            <Cell label="Delete">{removal}</Cell>
        </tr>
    }
}
