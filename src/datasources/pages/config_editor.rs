//! Making and changing a config.

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    config_fields::ConfigFields,
    config_form::{ConfigForm, PROTOCOLS},
    trial::TestConnection,
};
use crate::{
    app::{tenant_page, use_optional_id, use_tenant},
    datasources::{
        api::{get_config, save_config, test_config},
        dto::{ConfigView, DatasourceConfigInput},
    },
    files::api::list_files,
    shared::{ConfigId, Problem, TenantId, validate::Checks},
    ui::{
        editor::Draft,
        fields::{FaultSummary, Faults, TextField},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        react::memo,
        resource::load,
        save_bar::SaveBar,
        saving::{Saving, on_answer},
        script::NeedsScript,
        toast::use_toasts,
        typed::Typed,
    },
};

/// The editor of a new config, or of the one that the address names.
#[component]
pub fn ConfigEditor() -> impl IntoView {
    let tenant = use_tenant();
    let id = use_optional_id::<ConfigId>("config_id", "Datasource config");
    let start = load(
        move || (tenant.id(), id.get()),
        |(tenant, id)| async move {
            let (tenant, id) = (tenant?, id?);
            let stored = match id {
                None => None,
                Some(id) => Some(get_config(tenant.clone(), id).await?),
            };
            // A convenience: without them the path is typed.
            let files = list_files(tenant).await.unwrap_or_default();
            Ok((stored, files.into_iter().map(|file| file.path).collect()))
        },
    );
    view! {
        <p class="back">
            <a href=move || tenant.page("/configs")>
                <Icon glyph=Glyph::Back/>
                "Datasource configs"
            </a>
        </p>
        <Load
            heading="Config"
            data=move || async move {
                let (stored, files) = start.await?;
                Ok((tenant.id()?, stored, files))
            }
            retry=move || start.refetch()
            view=move |(tenant_id, stored, files): (TenantId, Option<ConfigView>, Vec<String>)| {
                view! { <Editor tenant_id stored files context=tenant.label()/> }
            }
        />
    }
}

/// Whether the name holds; the rest only the server can say.
pub fn check_name(input: &DatasourceConfigInput) -> Result<(), Problem> {
    let mut checks = Checks::default();
    checks.name("name", &input.name);
    checks.finish()
}

#[component]
fn Editor(
    tenant_id: TenantId,
    stored: Option<ConfigView>,
    files: Vec<String>,
    context: Signal<String>,
) -> impl IntoView {
    let faults = Faults::provide();
    if let Some(fault) = stored.as_ref().and_then(|stored| stored.fault.clone()) {
        faults.show(fault);
    }
    let form = ConfigForm::new(stored.as_ref().map(|stored| &stored.config));
    let id = stored.as_ref().map(|stored| stored.config.config_id);
    let etag = stored.as_ref().map(|stored| stored.etag.clone()).unwrap_or_default();
    let place = StoredValue::new(tenant_id.clone());
    let input = memo(move || Typed(form.input(&place.get_value())));
    let before = input.get_untracked();
    let is_dirty = Signal::derive(move || input.get() != before);

    let asked = tenant_id.clone();
    let save = Action::new(move |(input, etag): &(DatasourceConfigInput, String)| {
        save_config(asked.clone(), id, etag.clone(), input.clone())
    });
    let saving = Saving::of(save.pending(), save.value());
    let (toasts, navigate) = (use_toasts(), use_navigate());
    on_answer(save.value(), faults, move |config| {
        toasts.done(format!("The config {} is saved.", config.name));
        let page = tenant_page(&config.tenant_id, &format!("/configs/{}", config.config_id));
        navigate(&page, NavigateOptions::default());
    });
    let send = Callback::new(move |etag: String| {
        let input = input.get_untracked().0;
        match check_name(&input) {
            Ok(()) => drop(save.dispatch((input, etag))),
            Err(problem) => faults.show(problem),
        }
    });
    let on_save = Callback::new(move |()| send.run(etag.clone()));
    faults.on_conflict(Callback::new(move |()| send.run(String::new())));
    let tried = tenant_id.clone();
    let test = Action::new(move |&(): &()| test_config(tried.clone(), id, for_test(input.get_untracked().0)));
    on_answer(test.value(), faults, |_| {});

    let title =
        stored.as_ref().map_or_else(|| "New config".to_owned(), |s| format!("Edit {}", s.config.name));
    let cancel = match id {
        Some(id) => tenant_page(&tenant_id, &format!("/configs/{id}")),
        None => tenant_page(&tenant_id, "/configs"),
    };
    let protocols =
        Signal::stored(PROTOCOLS.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec());
    view! {
        <PageHead title context/>
        <NeedsScript/>
        <Draft saving testid="config-editor">
            <FaultSummary/>
            <section class="editor__section">
                <TextField
                    label="Name"
                    path="name"
                    value=form.name
                    kind="name"
                    hint="By which datasources refer to it, such as shop_db."
                    testid="config-name"
                />
                <ConfigFields form prefix="" protocols files/>
                <TestConnection test of=Signal::derive(move || tried_words(input.get().0))/>
            </section>
        </Draft>
        <SaveBar is_dirty saving on_save cancel/>
    }
}

/// What a test tries, written down: all but the name.
pub fn tried_words(mut input: DatasourceConfigInput) -> String {
    input.name.clear();
    serde_json::to_string(&input).unwrap_or_default()
}

/// A test stores nothing, and so needs no name.
pub fn for_test(mut input: DatasourceConfigInput) -> DatasourceConfigInput {
    if input.name.trim().is_empty() {
        input.name = "test".to_owned();
    }
    input
}
