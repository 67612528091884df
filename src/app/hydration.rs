//! What makes the browser take the page over.

use leptos::{nonce::use_nonce, prelude::*};

/// Loads the browser's side, under the nonce of this page (Content Security Policy).
///
/// Not Leptos' own `HydrationScripts`, which up to 0.8.23 writes the nonce into the `crossorigin` of its preloads
/// (leptos-rs/leptos#4843): Firefox then now and then takes the WASM for another resource and the page stays dead. It
/// knows the two file names that cargo-leptos gives without `hash-files`.
#[component]
pub fn Hydration(options: LeptosOptions) -> impl IntoView {
    let nonce = use_nonce();
    // As wasm-bindgen names it, unless cargo-leptos told the compiler the name that it gives.
    let suffix = if option_env!("LEPTOS_OUTPUT_NAME").is_none() { "_bg" } else { "" };
    let base = format!("/{}/{}", options.site_pkg_dir, options.output_name);
    let (js, wasm) = (format!("{base}.js"), format!("{base}{suffix}.wasm"));
    let script = format!(
        "import({js:?}).then(app => app.default({{ module_or_path: {wasm:?} }}).then(() => app.hydrate()))"
    );
    view! {
        <link rel="modulepreload" href=js nonce=nonce.clone()/>
        <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
        <script type="module" nonce=nonce>
            {script}
        </script>
    }
}
