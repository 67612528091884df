//! What a page's address names.

use std::str::FromStr;

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::{shared::Problem, ui::react::memo};

/// The id that the address holds under `name`; `None` where it holds none, as an editor's of something new.
pub fn use_optional_id<T>(name: &'static str, what: &'static str) -> Memo<Result<Option<T>, Problem>>
where
    T: FromStr + PartialEq + Send + Sync + 'static,
{
    let params = use_params_map();
    memo(move || match params.read().get(name) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| Problem::not_found(what, text)),
    })
}
