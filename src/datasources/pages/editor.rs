//! Making and changing a datasource, and in one go the config that it needs.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};
use serde::{Deserialize, Serialize};

use super::{
    config_editor::{for_test, tried_words},
    config_fields::ConfigFields,
    config_form::{ConfigForm, PROTOCOLS},
    trial::TestConnection,
    words::{protocol_words, type_of, type_words},
};
use crate::{
    app::{MyAccess, may, tenant_page, use_optional_id, use_tenant},
    auth::authority::Permission,
    datasources::{
        api::{get_datasource, list_configs, save_datasource, test_config},
        dto::{DatasourceConfig, DatasourceConfigInput, DatasourceInput, DatasourceType, DatasourceView},
    },
    files::api::list_files,
    shared::{DatasourceId, Problem, TenantId},
    ui::{
        editor::Draft,
        fields::{CheckField, FaultSummary, Faults, SelectField, TextArea, TextField},
        icons::{Glyph, Icon},
        load::Load,
        only::Only,
        page::PageHead,
        react::{effect, memo},
        resource::load,
        save_bar::SaveBar,
        saving::{Saving, on_answer},
        script::NeedsScript,
        toast::use_toasts,
        typed::Typed,
    },
};

/// What the form begins with.
#[derive(Clone, Serialize, Deserialize)]
struct Start {
    stored: Option<DatasourceView>,
    configs: Vec<DatasourceConfig>,
    files: Vec<String>,
}

/// The editor of a new datasource, or of the one that the address names.
#[component]
pub fn DatasourceEditor() -> impl IntoView {
    let tenant = use_tenant();
    let me = use_context::<MyAccess>();
    let id = use_optional_id::<DatasourceId>("datasource_id", "Datasource");
    let start = load(
        move || (tenant.id(), id.get()),
        |(tenant, id)| async move {
            let (tenant, id) = (tenant?, id?);
            let stored = match id {
                None => None,
                Some(id) => Some(get_datasource(tenant.clone(), id).await?),
            };
            let configs = list_configs(tenant.clone()).await?;
            // A convenience: without them the path is typed.
            let files = list_files(tenant).await.unwrap_or_default();
            Ok(Start { stored, configs, files: files.into_iter().map(|file| file.path).collect() })
        },
    );
    view! {
        <p class="back">
            <a href=move || tenant.page("/datasources")>
                <Icon glyph=Glyph::Back/>
                "Datasources"
            </a>
        </p>
        <Load
            heading="Datasource"
            data=move || async move {
                let start = start.await?;
                let id = tenant.id()?;
                let may_connect = may(me, &id, Permission::Credentials).await;
                Ok((id, start, may_connect))
            }
            retry=move || start.refetch()
            view=move |(tenant_id, start, may_connect): (TenantId, Start, bool)| {
                view! { <Editor tenant_id start may_connect context=tenant.label()/> }
            }
        />
    }
}

/// Stands for a config that is made along with the datasource: no config has an empty name.
const NEW: &str = "";

#[derive(Clone, Copy)]
struct Form {
    name: RwSignal<String>,
    kind: RwSignal<String>,
    connection: RwSignal<String>,
    description: RwSignal<String>,
    is_active: RwSignal<bool>,
    config: ConfigForm,
}

impl Form {
    /// `file` is one to begin with.
    fn new(start: &Start, may_connect: bool, file: Option<&str>) -> Self {
        let stored = start.stored.as_ref().map(|stored| &stored.datasource);
        let config = ConfigForm::new(None);
        let of_file = file.map(|file| config.begin_with_file(file));
        let name = match stored {
            Some(stored) => stored.name.clone(),
            None => file.map(stem_of).unwrap_or_default().to_owned(),
        };
        let kind =
            stored.map_or(of_file.unwrap_or(DatasourceType::Database), |stored| stored.datasource_type);
        let first = start.configs.iter().find(|config| type_of(&config.protocol) == Some(kind));
        let connection = match stored {
            Some(stored) => stored.connection_key.clone(),
            None if may_connect => NEW.to_owned(),
            None => first.map(|config| config.name.clone()).unwrap_or_default(),
        };
        Self {
            name: RwSignal::new(name),
            kind: RwSignal::new(kind.to_string()),
            connection: RwSignal::new(connection),
            description: RwSignal::new(stored.map(|stored| stored.description.clone()).unwrap_or_default()),
            is_active: RwSignal::new(stored.is_none_or(|stored| stored.is_active)),
            config,
        }
    }

    fn kind(self) -> DatasourceType {
        self.kind.read().parse().unwrap_or(DatasourceType::Database)
    }

    fn input(self, tenant: &TenantId) -> (DatasourceInput, Option<DatasourceConfigInput>) {
        let name = self.name.get();
        let config = (self.connection.read().as_str() == NEW).then(|| {
            let mut config = self.config.input(tenant);
            if config.name.trim().is_empty() {
                config.name = name.clone();
            }
            config
        });
        let connection_key = match &config {
            Some(config) => config.name.clone(),
            None => self.connection.get(),
        };
        let input = DatasourceInput {
            name,
            datasource_type: self.kind(),
            connection_key,
            description: self.description.get(),
            is_active: self.is_active.get(),
            tenant_id: Some(tenant.to_string()),
            datasource_id: Default::default(),
            created_at: Default::default(),
            updated_at: Default::default(),
        };
        (input, config)
    }
}

/// A file's name, without folders and ending: `couriers` of `in/couriers.csv`.
fn stem_of(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// The config that is made along takes the datasource's name: where that is missing, it alone is told.
fn told_once(mut problem: Problem, has_config: bool) -> Problem {
    let is_unnamed = problem.errors.iter().any(|error| error.field == "name");
    problem.errors.retain(|error| !(has_config && is_unnamed && error.field == "connection_key"));
    problem
}

#[component]
fn Editor(tenant_id: TenantId, start: Start, may_connect: bool, context: Signal<String>) -> impl IntoView {
    let faults = Faults::provide();
    let file = use_query_map().with_untracked(|query| query.get("file"));
    let form = Form::new(&start, may_connect, file.as_deref());
    let Start { stored, configs, files } = start;
    let (id, etag, title) = match &stored {
        None => (None, String::new(), "New datasource".to_owned()),
        Some(stored) => {
            let datasource = &stored.datasource;
            (Some(datasource.datasource_id), stored.etag.clone(), format!("Edit {}", datasource.name))
        }
    };
    let place = StoredValue::new(tenant_id.clone());
    let input = memo(move || Typed(form.input(&place.get_value())));
    let before = input.get_untracked();
    let is_dirty = Signal::derive(move || input.get() != before);

    let asked = tenant_id.clone();
    let save = Action::new(
        move |(input, config, etag): &(DatasourceInput, Option<DatasourceConfigInput>, String)| {
            save_datasource(asked.clone(), id, etag.clone(), input.clone(), config.clone())
        },
    );
    let saving = Saving::of(save.pending(), save.value());
    let (toasts, navigate) = (use_toasts(), use_navigate());
    on_answer(save.value(), faults, move |saved| {
        toasts.done(format!("{} is saved.", saved.name));
        let page = tenant_page(&saved.tenant_id, &format!("/datasources/{}", saved.datasource_id));
        navigate(&page, NavigateOptions::default());
    });
    let send = Callback::new(move |etag: String| {
        let (input, config) = input.get_untracked().0;
        match input.clone().validate(&place.get_value()) {
            Ok(_) => drop(save.dispatch((input, config, etag))),
            Err(problem) => faults.show(told_once(problem, config.is_some())),
        }
    });
    let on_save = Callback::new(move |()| send.run(etag.clone()));
    faults.on_conflict(Callback::new(move |()| send.run(String::new())));
    let cancel = match id {
        Some(id) => tenant_page(&tenant_id, &format!("/datasources/{id}")),
        None => tenant_page(&tenant_id, "/datasources"),
    };
    let types = DatasourceType::ALL.iter().map(|kind| (kind.to_string(), type_words(*kind).to_owned()));
    let types = Signal::stored(types.collect::<Vec<_>>());
    view! {
        <PageHead title context/>
        <NeedsScript/>
        <Draft saving testid="datasource-editor">
            <FaultSummary/>
            <section class="editor__section">
                <div class="fields">
                    <TextField
                        label="Name"
                        path="name"
                        value=form.name
                        hint="As people will read it, such as Shop database."
                        testid="name"
                    />
                    <SelectField label="Type" path="datasource_type" value=form.kind options=types testid="type"/>
                </div>
                <TextArea label="Description" path="description" value=form.description rows=2/>
                <CheckField
                    label="Active"
                    path="is_active"
                    value=form.is_active
                    hint="Rules that ask an inactive one cannot decide: their messages go to a person."
                />
            </section>
            <Connection tenant_id form configs files may_connect faults/>
        </Draft>
        <SaveBar is_dirty saving on_save cancel/>
    }
}

/// Which config it uses: one that is there, or a new one.
#[component]
fn Connection(
    tenant_id: TenantId,
    form: Form,
    configs: Vec<DatasourceConfig>,
    files: Vec<String>,
    may_connect: bool,
    faults: Faults,
) -> impl IntoView {
    let used = form.connection.get_untracked();
    let configs = StoredValue::new(configs);
    let options = Signal::derive(move || {
        let kind = form.kind();
        let mut options = Vec::new();
        if may_connect {
            options.push((NEW.to_owned(), "A new one".to_owned()));
        }
        configs.with_value(|configs| {
            let fitting = configs.iter().filter(|config| type_of(&config.protocol) == Some(kind));
            options.extend(fitting.map(|config| {
                (config.name.clone(), format!("{} · {}", config.name, protocol_words(config)))
            }));
            // What it names may not exist (yet), or be of another kind: it is not dropped unasked.
            if used != NEW && !options.iter().any(|(name, _)| *name == used) {
                options.push((used.clone(), format!("{used} · not there, or of another type")));
            }
        });
        options
    });
    let protocols = memo(move || {
        let fitting = PROTOCOLS.into_iter().filter(|(protocol, _)| type_of(protocol) == Some(form.kind()));
        fitting.map(|(value, words)| (value.to_owned(), words.to_owned())).collect::<Vec<_>>()
    });
    // Another type has other protocols and configs: what does not fit any more gives way to the first that does. At first
    // too: the type may have been chosen before the page was taken over.
    effect(move || {
        let (protocols, options) = (protocols.get(), options.get());
        let fits = |among: &[(String, String)], value: &str| among.iter().any(|(one, _)| one == value);
        if !fits(&protocols, &form.config.protocol.read_untracked())
            && let Some((protocol, _)) = protocols.first()
        {
            form.config.protocol.set(protocol.clone());
        }
        if !fits(&options, &form.connection.read_untracked()) {
            form.connection.set(options.first().map(|(name, _)| name.clone()).unwrap_or_default());
        }
    });
    let asked = tenant_id.clone();
    let test = Action::new(move |input: &()| {
        let () = input;
        let tenant = asked.clone();
        let config = for_test(form.config.input(&tenant));
        async move { test_config(tenant, None, config).await.map_err(below_config) }
    });
    on_answer(test.value(), faults, |_| {});
    let place = StoredValue::new(tenant_id);
    let tried = Signal::derive(move || place.with_value(|tenant| tried_words(form.config.input(tenant))));
    let hint = if may_connect {
        "Address and sign-in. Several datasources may share one."
    } else {
        "Address and sign-in. Only an administrator can make a new one."
    };
    view! {
        <section class="editor__section" aria-labelledby="connection">
            <h2 id="connection">"Connection"</h2>
            <SelectField
                label="Config"
                path="connection_key"
                value=form.connection
                options
                hint
                testid="connection"
            />
            <Only when=move || may_connect && form.connection.read().as_str() == NEW>
                <ConfigFields
                    form=form.config
                    prefix="config."
                    protocols=Signal::derive(move || protocols.get())
                    files=files.clone()
                />
                <TextField
                    label="Name of the config"
                    path="config.name"
                    value=form.config.name
                    kind="name"
                    hint="Left empty, the datasource’s."
                />
                <TestConnection test of=tried/>
            </Only>
        </section>
    }
}

/// The fields of the config are named from the whole form's root.
fn below_config(mut problem: Problem) -> Problem {
    for error in &mut problem.errors {
        error.field.insert_str(0, "config.");
    }
    problem
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_the_datasource_that_is_made_of_it() {
        for (path, stem) in [
            ("couriers.csv", "couriers"),
            ("in/2026/couriers.v2.csv", "couriers.v2"),
            ("couriers", "couriers"),
            ("a.b/couriers", "couriers"),
        ] {
            assert_eq!(stem_of(path), stem);
        }
    }

    #[test]
    fn a_name_that_is_missing_is_told_once() {
        let problem = || {
            let mut checks = crate::shared::validate::Checks::default();
            checks.fault("name", "must not be empty");
            checks.fault("connection_key", "must not be empty");
            checks.finish().expect_err("faults")
        };
        for (has_config, fields) in [(true, &["name"][..]), (false, &["name", "connection_key"][..])] {
            let told = told_once(problem(), has_config);
            assert_eq!(told.errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), fields);
        }
    }
}
