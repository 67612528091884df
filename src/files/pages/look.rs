//! A look into a file.

use leptos::prelude::*;
use leptos_router::{hooks::use_query_map, location::Url};

use super::upload::Download;
use crate::{
    app::{tenant_page, use_tenant},
    files::{
        api::look_into_file,
        dto::{FileLook, FileTable},
    },
    shared::TenantId,
    ui::{
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        react::memo,
        resource::load,
        rows::{Rows, count_words},
    },
};

/// The page of a tenant that looks into the file of this path.
pub fn look_page(path: &str) -> String {
    format!("/files/look?path={}", Url::escape(path))
}

/// The first rows of the file that the address names.
#[component]
pub fn FilePage() -> impl IntoView {
    let tenant = use_tenant();
    let query = use_query_map();
    let path = memo(move || query.read().get("path").unwrap_or_default());
    let found = load(
        move || (tenant.id(), path.get()),
        |(tenant, path)| async move { look_into_file(tenant?, path).await },
    );
    view! {
        <p class="back">
            <a href=move || tenant.page("/files")>
                <Icon glyph=Glyph::Back/>
                "Files"
            </a>
        </p>
        <Load
            heading="File"
            data=move || async move { Ok((tenant.id()?, found.await?)) }
            retry=move || found.refetch()
            view=move |(tenant_id, found): (TenantId, FileLook)| {
                view! { <Shown tenant_id found context=tenant.label()/> }
            }
        />
    }
}

#[component]
fn Shown(tenant_id: TenantId, found: FileLook, context: Signal<String>) -> impl IntoView {
    let FileLook { path, tables, note, message } = found;
    let use_it = tenant_page(&tenant_id, &format!("/datasources/new?file={}", Url::escape(&path)));
    let tables = tables.into_iter().map(|table| view! { <Table table/> }.into_any()).collect_view();
    view! {
        <PageHead title=path.clone() context>
            <Download tenant_id path/>
            <a class="button" href=use_it data-testid="use-file">
                <Icon glyph=Glyph::Add/>
                "Make a datasource"
            </a>
        </PageHead>
        {message
            .map(|message| {
                view! {
                    <p class="notice tone-bad" data-testid="unreadable">
                        <Icon glyph=Glyph::Alert/>
                        <span>{format!("It cannot be read: {message}.")}</span>
                    </p>
                }
                .into_any()
            })}
        {tables}
        {note.map(|note| view! { <p class="hint" data-testid="look-note">{note}</p> }.into_any())}
    }
}

#[component]
fn Table(table: FileTable) -> impl IntoView {
    let FileTable { name, columns, rows, row_count } = table;
    let count = usize::try_from(row_count).unwrap_or(usize::MAX);
    let words = count_words(count, rows.len(), false);
    view! {
        <section class="section section--first" data-testid="table">
            <h2>
                <code>{name}</code>
            </h2>
            <p class="hint" data-testid="row-count">{words}</p>
            <Rows columns rows/>
        </section>
    }
}
