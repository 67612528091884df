//! What makes the browser take the page over.

use leptos::{nonce::use_nonce, prelude::*};

/// The `<meta>` by which a page says which files its group of pages takes.
pub const FILES: &str = "page-files";

/// Loads the browser's side, under the nonce of this page (Content Security Policy), once the page has been painted:
/// what makes it answer must not hold up what makes it be seen.
///
/// Not Leptos' own `HydrationScripts`, which up to 0.8.23 writes the nonce into the `crossorigin` of its preloads
/// (leptos-rs/leptos#4843): Firefox then now and then takes the WASM for another resource and the page stays dead. It
/// knows the two file names that cargo-leptos gives without `hash-files`.
#[component]
pub fn Hydration(options: LeptosOptions, of_build: String) -> impl IntoView {
    let nonce = use_nonce();
    // As wasm-bindgen names it, unless cargo-leptos told the compiler the name that it gives.
    let suffix = if option_env!("LEPTOS_OUTPUT_NAME").is_none() { "_bg" } else { "" };
    // The parts of this build alone fit together.
    let folder = format!("/{}/{}/", options.site_pkg_dir, of_build);
    let (js, wasm) = (format!("{}.js", options.output_name), format!("{}{suffix}", options.output_name));
    // Where the server was updated since it wrote the page, its code is gone: the page is fetched anew, once.
    // A page in the background is not painted.
    let script = format!(
        "const folder = {folder:?};
         const start = () => {{
             const named = document.querySelector('meta[name={FILES}]')?.content.split(' ') ?? [];
             for (const name of [{wasm:?}, ...named]) {{
                 const href = `${{folder}}${{name}}.wasm`;
                 const link = document.createElement('link');
                 document.head.append(Object.assign(link, {{
                     rel: 'preload', as: 'fetch', type: 'application/wasm', crossOrigin: 'anonymous', href,
                 }}));
             }}
             import(folder + {js:?})
                 .then(app => app.default({{ module_or_path: `${{folder}}{wasm}.wasm` }}).then(() => setTimeout(app.hydrate)))
                 .catch(async fault => {{
                     const answer = await fetch(folder + {js:?}, {{ method: 'HEAD' }}).catch(() => null);
                     if (answer?.status !== 404 || sessionStorage.getItem('reloaded') === folder) throw fault;
                     sessionStorage.setItem('reloaded', folder);
                     location.reload();
                 }});
         }};
         if (document.hidden) start(); else requestAnimationFrame(() => setTimeout(start));"
    );
    view! {
        <script type="module" nonce=nonce>
            {script}
        </script>
    }
}
