//! Which files a group of pages takes, where the browser's side is split. On the server alone.

use std::{collections::HashMap, path::Path, sync::OnceLock};

use leptos::{config::LeptosOptions, prelude::*};
use leptos_meta::Meta;

use super::hydration::FILES;
use crate::server::AppState;

/// As `cargo leptos --split` wrote them down; none where the build is not split.
fn groups(options: &LeptosOptions) -> &'static HashMap<String, Vec<String>> {
    static GROUPS: OnceLock<HashMap<String, Vec<String>>> = OnceLock::new();
    GROUPS.get_or_init(|| {
        let folder = Path::new(&*options.site_root).join(&*options.site_pkg_dir);
        let text = std::fs::read(folder.join("__wasm_split_manifest.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    })
}

/// Says in the page's head which files the group takes, so that they are fetched along with what every page takes.
pub fn name_files(group: &str) {
    let Some(app) = use_context::<AppState>() else { return };
    if let Some(files) = groups(&app.leptos).get(group) {
        // Rendered for what it leaves in the head.
        let _ = view! { <Meta name=FILES content=files.join(" ")/> }.to_html();
    }
}
