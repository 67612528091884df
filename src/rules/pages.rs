//! Validation rules across intents.

mod list;
mod lookup;
mod query;

use leptos::prelude::*;

pub use list::RulesPage;
pub use lookup::Lookup;

use super::dto::OnFail;
use crate::{
    datasources::dto::Datasource,
    shared::DatasourceId,
    ui::{
        badge::{Badge, Tone},
        icons::Glyph,
    },
};

/// The name of a rule's datasource, if it has one.
pub fn name_of(id: Option<DatasourceId>, datasources: &[Datasource]) -> Option<String> {
    let id = id?;
    datasources.iter().find(|datasource| datasource.datasource_id == id).map(|found| found.name.clone())
}

/// What a failure of a rule means for the message.
#[component]
pub fn OnFailBadge(on_fail: OnFail) -> impl IntoView {
    let (tone, glyph) = match on_fail {
        OnFail::Reject => (Tone::Bad, Glyph::Reject),
        OnFail::Review => (Tone::Attention, Glyph::Review),
        OnFail::Warn => (Tone::Quiet, Glyph::Alert),
    };
    view! { <Badge tone glyph text=on_fail.as_str()/> }
}
