//! Where the browser's side is, and where this server listens.

use std::{collections::HashMap, net::SocketAddr};

use leptos::config::{Env, LeptosOptions};
use toml::de::{DeTable, DeValue};

use super::{ConfigFaults, Reader};

/// Where they stand in `Leptos.toml`, as in the file that cargo-leptos reads.
const SECTION: [&str; 3] = ["package", "metadata", "leptos"];

/// Of the variables `LEPTOS_*` that `get` gives, or else of `Leptos.toml`, whose text `file` is. Read here: to Leptos itself
/// an empty variable is a setting, and an empty root is the working directory, which would be served to everybody.
///
/// # Errors
/// Every fault, each naming its variable, or the file.
pub fn site_options(file: &str, get: impl Fn(&str) -> Option<String>) -> Result<LeptosOptions, ConfigFaults> {
    let section = section_of(file);
    let stored = section.as_ref().ok();
    let set = |name: &str| {
        get(name)
            .filter(|value| !value.trim().is_empty())
            .or_else(|| stored.and_then(|stored| of_file(stored, name)))
    };
    let mut r = Reader { get: &set, faults: Vec::new() };
    if let Err(fault) = &section {
        r.fault("Leptos.toml", fault.clone());
    }
    let text = |r: &Reader, name: &str, default: &str| r.text(name).unwrap_or_else(|| default.to_owned());
    let options = LeptosOptions::builder()
        .output_name(text(&r, "LEPTOS_OUTPUT_NAME", "flowengine"))
        .site_root(text(&r, "LEPTOS_SITE_ROOT", "target/site"))
        .site_pkg_dir(text(&r, "LEPTOS_SITE_PKG_DIR", "pkg"))
        .site_addr(r.number("LEPTOS_SITE_ADDR", SocketAddr::from(([127, 0, 0, 1], 3_000))))
        .env(r.text("LEPTOS_ENV").and_then(|name| name.parse::<Env>().ok()).unwrap_or_default())
        .reload_port(r.number("LEPTOS_RELOAD_PORT", 3_001))
        .reload_external_port(r.parsed("LEPTOS_RELOAD_EXTERNAL_PORT"))
        .build();
    if r.faults.is_empty() { Ok(options) } else { Err(ConfigFaults(r.faults)) }
}

/// What the file says, by the names of the settings; nothing where there is none.
fn section_of(file: &str) -> Result<HashMap<String, String>, String> {
    let mut table =
        DeTable::parse(file).map_err(|error| format!("cannot be read: {}", error.message()))?.into_inner();
    if file.trim().is_empty() {
        return Ok(HashMap::new());
    }
    for name in SECTION {
        let found = table.into_iter().find(|(other, _)| other.get_ref() == name);
        table = match found.map(|(_, value)| value.into_inner()) {
            Some(DeValue::Table(section)) => section,
            _ => return Err(format!("has no section [{}]", SECTION.join("."))),
        };
    }
    let text = |value| match value {
        DeValue::String(text) => Some(text.into_owned()),
        DeValue::Integer(number) => Some(number.to_string()),
        _ => None,
    };
    let settings = table.into_iter();
    Ok(settings
        .filter_map(|(name, value)| Some((name.into_inner().into_owned(), text(value.into_inner())?)))
        .collect())
}

/// `site-root = "target/site"` for `LEPTOS_SITE_ROOT`.
fn of_file(section: &HashMap<String, String>, name: &str) -> Option<String> {
    section.get(&name.strip_prefix("LEPTOS_")?.to_ascii_lowercase().replace('_', "-")).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)], file: &str) -> Result<LeptosOptions, ConfigFaults> {
        site_options(file, |name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn what_is_empty_is_not_set() {
        let file =
            include_str!("../../../Leptos.toml").replace("3000", "4000").replace("target/site", "/srv/site");
        let empty = [("LEPTOS_SITE_ROOT", ""), ("LEPTOS_SITE_PKG_DIR", " "), ("LEPTOS_SITE_ADDR", "")];
        for (file, root, port) in [(file.as_str(), "/srv/site", 4_000), ("", "target/site", 3_000)] {
            let options = read(&empty, file).expect("it holds");
            assert_eq!((&*options.site_root, &*options.site_pkg_dir), (root, "pkg"));
            assert_eq!((options.site_addr.port(), &*options.output_name), (port, "flowengine"));
            let options = read(&[("LEPTOS_SITE_ROOT", "/opt/site")], file).expect("it holds");
            assert_eq!((&*options.site_root, options.site_addr.port()), ("/opt/site", port));
        }
    }

    #[test]
    fn a_fault_names_its_variable() {
        let text = read(&[("LEPTOS_SITE_ADDR", "nonsense")], "").expect_err("a fault").to_string();
        assert!(text.contains("LEPTOS_SITE_ADDR cannot be read"), "{text}");
        for file in ["[package", "[package]\nname = \"x\""] {
            let text = read(&[], file).expect_err("a fault").to_string();
            assert!(text.contains("Leptos.toml"), "{text}");
        }
    }

    #[test]
    fn the_file_is_read_as_toml_is_written() {
        let file = "[package.metadata.leptos] # ours\nsite-root = '/srv/site' # there\nreload-port = 4_001\n";
        let options = read(&[], file).expect("it holds");
        assert_eq!((&*options.site_root, options.reload_port), ("/srv/site", 4_001));
    }
}
