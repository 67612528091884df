//! What makes the browser take the page over.

use leptos::{nonce::use_nonce, prelude::*};

use crate::intents::pages::DRAFTS;

/// The `<meta>` by which a page says which files its group of pages takes.
pub const FILES: &str = "page-files";

/// Begins the keys of the session's storage under which the lists are that somebody was at.
pub const LISTS: &str = "lastList:";

/// The `<meta>` by which a page of plain forms says that nothing needs to be taken over before somebody turns to it.
const PLAIN: &str = "page-is-plain";

/// Says in the page's head that it is such a page. What the next page needs is fetched meanwhile, when nothing else is.
#[cfg(feature = "ssr")]
pub fn wait_for_a_touch() {
    // Rendered for what it leaves in the head.
    let _ = view! { <leptos_meta::Meta name=PLAIN content="true"/> }.to_html();
}

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
    // Where the server was updated since it wrote the page, its code is gone: the page is fetched anew, once; but not one that
    // works by itself, in which somebody types. A page in the background is not painted.
    // Whoever signs in may be somebody else than who was here before, and be gone before the page is taken over. Whoever comes
    // back to a page has their draft still (`keep_drafts_of`).
    let script = format!(
        "const folder = {folder:?};
         const say = link => document.head.append(Object.assign(document.createElement('link'), link));
         const start = () => {{
             const named = document.querySelector('meta[name={FILES}]')?.content.split(' ') ?? [];
             for (const name of [{wasm:?}, ...named]) {{
                 const href = `${{folder}}${{name}}.wasm`;
                 say({{ rel: 'preload', as: 'fetch', type: 'application/wasm', crossOrigin: 'anonymous', href }});
             }}
             import(folder + {js:?})
                 .then(app => app.default({{ module_or_path: `${{folder}}{wasm}.wasm` }}).then(() => setTimeout(app.hydrate)))
                 .catch(async fault => {{
                     const answer = await fetch(folder + {js:?}, {{ method: 'HEAD' }}).catch(() => null);
                     if (document.querySelector('meta[name={PLAIN}]') || answer?.status !== 404 || sessionStorage.getItem('reloaded') === folder) throw fault;
                     sessionStorage.setItem('reloaded', folder);
                     location.reload();
                 }});
         }};
         const painted = then => requestAnimationFrame(() => setTimeout(then));
         const touches = ['pointerdown', 'keydown', 'focusin'];
         const touched = () => {{
             for (const touch of touches) removeEventListener(touch, touched, true);
             start();
         }};
         if (document.querySelector('meta[name={PLAIN}]')) {{
             for (const touch of touches) addEventListener(touch, touched, true);
             try {{
                 if (location.pathname === '/sign-in') {{
                     const gone = new URLSearchParams(location.search).get('next') ? [{LISTS:?}] : [{LISTS:?}, {DRAFTS:?}];
                     for (const key of Object.keys(sessionStorage)) {{
                         if (gone.some(begin => key.startsWith(begin))) sessionStorage.removeItem(key);
                     }}
                 }}
             }} catch {{}}
             painted(() => {{
                 for (const name of [{js:?}, {wasm:?} + '.wasm']) {{
                     say({{ rel: 'prefetch', crossOrigin: 'anonymous', href: folder + name }});
                 }}
             }});
         }} else if (document.hidden) start(); else painted(start);"
    );
    view! {
        <script type="module" nonce=nonce>
            {script}
        </script>
    }
}
