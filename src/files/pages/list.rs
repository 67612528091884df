//! What file datasources and SQLite databases are read from.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    look::look_page,
    upload::{Download, LANES, Replace, ReplaceField, Replacing, Upload, told},
};
use crate::{
    app::{Allowed, MyAccess, may, tenant_page, use_tenant},
    auth::authority::Permission,
    files::{
        api::{DeleteFile, list_files},
        dto::{Refusal, TenantFile},
    },
    shared::TenantId,
    ui::{
        badge::Tone,
        dialog::Confirm,
        each::Each,
        find::{Found, ListSaid, holds, use_sought},
        form::PlainForm,
        form_action::{FormAction, form_action},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::{ActionProblem, Empty},
        resource::load_again,
        saving::{on_done, on_refused},
        size::size_words,
        table::{Cell, DataTable},
        time::Timestamp,
        toast::use_toasts,
        upload::Uploads,
    },
};

/// The files of a tenant.
#[component]
pub fn FilesPage() -> impl IntoView {
    let (tenant, q) = (use_tenant(), use_sought());
    let me = use_context::<MyAccess>();
    let delete = form_action::<DeleteFile>();
    let deletions = delete.version();
    let (uploads, replacing) = (Uploads::new(LANES, told), Replacing::new());
    let files = load_again(
        move || tenant.id(),
        move || (deletions.get(), uploads.stored()),
        |tenant| async move { list_files(tenant?).await },
    );
    let outcome = delete.value();
    let toasts = use_toasts();
    on_done(outcome, move |()| toasts.done("The file is deleted."));
    on_refused(outcome, toasts);
    view! {
        <PageHead
            title="Files"
            lead="Tables that rules look things up in: CSV, Excel, JSON and SQLite. A file of the same name is replaced."
            context=tenant.label()
        />
        <Outcome/>
        <Allowed permission=Permission::Configure>
            {move || tenant.id().ok().map(|tenant_id| view! { <Upload tenant_id uploads/> }.into_any())}
        </Allowed>
        <ReplaceField replacing uploads/>
        <ActionProblem outcome/>
        <ListSaid/>
        <Load
            data=move || {
                let q = q.get();
                async move {
                    let id = tenant.id()?;
                    let may_change = may(me, &id, Permission::Configure).await;
                    Ok((id, q, files.await?, may_change))
                }
            }
            retry=move || files.refetch()
            view=move |(tenant_id, q, files, may_change): (TenantId, String, Vec<TenantFile>, bool)| {
                if files.is_empty() {
                    return view! {
                        <Empty title="There are no files yet">
                            <p>"Bring one in, then make a datasource of it: look into the file, and choose “Make a datasource”."</p>
                        </Empty>
                    }
                    .into_any();
                }
                let (all, count) = (tenant_page(&tenant_id, "/files"), files.len());
                let fitting = |file: &TenantFile| holds(&q, &[&file.path, &file.used_by.join(" ")]);
                let files: Vec<TenantFile> = files.into_iter().filter(fitting).collect();
                let fits = files.len();
                let row = move |file: TenantFile| {
                    let changes = may_change
                        .then(|| {
                            view! {
                                <FileChanges tenant_id=tenant_id.clone() file=file.clone() delete replacing/>
                            }
                            .into_any()
                        });
                    let look = may_change.then(|| tenant_page(&tenant_id, &look_page(&file.path)));
                    view! { <FileRow file look>{changes}</FileRow> }
                };
                view! {
                    <Found q all by="Path, or what uses it" names=("file", "files") count fits>
                        <DataTable caption="Files" columns=&["File", "Size", "Used by", "Changed", "Change it"]>
                            <Each each=move || files.clone() key=|file| file.path.clone() children=row/>
                        </DataTable>
                    </Found>
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

#[component]
fn FileRow(file: TenantFile, look: Option<String>, children: Children) -> impl IntoView {
    let users = if file.used_by.is_empty() {
        view! { <span class="hint">"nothing"</span> }.into_any()
    } else {
        view! { <code class="breakable">{file.used_by.join(", ")}</code> }.into_any()
    };
    let name = match look {
        Some(href) => view! {
            <a href=href class="breakable" data-testid="look">
                <code>{file.path}</code>
            </a>
        }
        .into_any(),
        None => view! { <code class="breakable">{file.path}</code> }.into_any(),
    };
    view! {
        <tr role="row" data-testid="file">
            <Cell label="File">
                <strong>{name}</strong>
            </Cell>
            <Cell label="Size">{size_words(file.size)}</Cell>
            <Cell label="Used by">{users}</Cell>
            <Cell label="Changed">{file.modified_at.map(|at| view! { <Timestamp at/> }.into_any())}</Cell>
            <Cell label="Change it">{children()}</Cell>
        </tr>
    }
}

/// A path as part of an id, which has no spaces. Not as part of an address, which browsers and servers escape differently.
fn plain(path: &str) -> String {
    let mut id = String::new();
    for c in path.chars() {
        if c.is_ascii_alphanumeric() {
            id.push(c);
        } else {
            id.push_str(&format!("-{:x}-", u32::from(c)));
        }
    }
    id
}

/// Fetching it, replacing it, and deleting it: what a config leads to stays, the server refuses it too.
#[component]
fn FileChanges(
    tenant_id: TenantId,
    file: TenantFile,
    delete: FormAction<()>,
    replacing: Replacing,
) -> impl IntoView {
    let is_pending = delete.pending();
    let TenantFile { path, used_by, .. } = file;
    let removal = if used_by.is_empty() {
        let (tenant, wanted) = (tenant_id.to_string(), path.clone());
        view! {
            <Confirm
                id=format!("delete-file-{}", plain(&path))
                label="Delete …"
                glyph=Glyph::Delete
                title=format!("Delete {path}?")
                testid="delete"
            >
                <p>"No config leads to it. It cannot be brought back."</p>
                <PlainForm action=delete>
                    <input type="hidden" name="tenant_id" value=tenant/>
                    <input type="hidden" name="path" value=wanted/>
                    <button
                        type="submit"
                        class="button button--danger"
                        aria-busy=move || is_pending.get().to_string()
                        data-testid="delete-file"
                    >
                        "Delete for good"
                    </button>
                </PlainForm>
            </Confirm>
        }
        .into_any()
    } else {
        view! { <span class="hint">"in use: it cannot be deleted"</span> }.into_any()
    };
    view! {
        <span class="marks">
            <Download tenant_id=tenant_id.clone() path=path.clone()/>
            <Replace tenant_id path replacing/>
            {removal}
        </span>
    }
}
