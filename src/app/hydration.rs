//! What makes the browser take the page over.

use std::{collections::HashMap, path::Path, sync::OnceLock};

use leptos::{WasmSplitManifest, nonce::use_nonce, prelude::*};

/// Where the browser's side is split: which files each group of pages takes, as `cargo leptos --split` wrote it.
fn split_files(options: &LeptosOptions) -> Option<WasmSplitManifest> {
    static FILES: OnceLock<Option<WasmSplitManifest>> = OnceLock::new();
    let read = || {
        let package: &str = &options.site_pkg_dir;
        let path = Path::new(&*options.site_root).join(package).join("__wasm_split_manifest.json");
        let groups: HashMap<String, Vec<String>> = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let script = "__wasm_split.______________________.js".to_owned();
        Some(WasmSplitManifest(ArcStoredValue::new((format!("/{package}"), groups, script))))
    };
    FILES.get_or_init(read).clone()
}

/// Loads the browser's side, under the nonce of this page (Content Security Policy).
///
/// Not Leptos' own `HydrationScripts`, which up to 0.8.23 writes the nonce into the `crossorigin` of its preloads
/// (leptos-rs/leptos#4843): Firefox then now and then takes the WASM for another resource and the page stays dead. It
/// knows the two file names that cargo-leptos gives without `hash-files`.
#[component]
pub fn Hydration(options: LeptosOptions) -> impl IntoView {
    if let Some(files) = split_files(&options) {
        // Leptos preloads those of the page's group.
        provide_context(files);
    }
    let nonce = use_nonce();
    // As wasm-bindgen names it, unless cargo-leptos told the compiler the name that it gives.
    let suffix = if option_env!("LEPTOS_OUTPUT_NAME").is_none() { "_bg" } else { "" };
    let base = format!("/{}/{}", options.site_pkg_dir, options.output_name);
    let (js, wasm) = (format!("{base}.js"), format!("{base}{suffix}.wasm"));
    let script = format!(
        "import({js:?}).then(app => app.default({{ module_or_path: {wasm:?} }}).then(() => app.hydrate()))"
    );
    view! {
        // What makes the page answer comes after what makes it be seen.
        <link rel="modulepreload" href=js nonce=nonce.clone() fetchpriority="low"/>
        <link
            rel="preload"
            href=wasm
            r#as="fetch"
            r#type="application/wasm"
            crossorigin="anonymous"
            fetchpriority="low"
        />
        <script type="module" nonce=nonce>
            {script}
        </script>
    }
}
