//! Where a file of a tenant is.

use std::{fmt, str::FromStr};

use crate::{datasources::server::connection::check_tenant_path, shared::Problem};

/// A disk takes no longer name of a file or a folder (`NAME_MAX` of Linux). Unit: bytes.
const MAX_NAME: usize = 255;

/// A path within the tenant's folder. A file has one alone: there is no other way to write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath(String);

impl FilePath {
    /// Of a file that should be there: what is out of bounds is not.
    ///
    /// # Errors
    /// 404.
    pub fn find(text: &str) -> Result<Self, Problem> {
        text.parse().map_err(|_| Problem::not_found("File", text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a file can be stored there. One that is too long is a path all the same: no file is found at it.
    ///
    /// # Errors
    /// 422.
    pub fn check_names(&self) -> Result<(), Problem> {
        if self.0.chars().any(crate::ui::bidi::turns) {
            let why = "holds marks that turn the way it is read: a name may not have them";
            return Err(Problem::invalid_field("path", why));
        }
        let longest = self.0.split('/').map(str::len).max().unwrap_or_default();
        if longest <= MAX_NAME {
            return Ok(());
        }
        let why = format!(
            "has a name of {longest} bytes, which is too long: each between two slashes may have {MAX_NAME}"
        );
        Err(Problem::invalid_field("path", why))
    }

    /// What follows the last point, in lower case.
    pub fn ending(&self) -> String {
        self.0.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase()
    }
}

impl FromStr for FilePath {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_tenant_path(text)?;
        if text.split('/').any(|part| part.starts_with('.')) {
            return Err("must hold no part that begins with a point");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_as_it_ends() {
        let path: FilePath = "bill\u{202e}fdp.csv".parse().expect("a path");
        assert!(path.check_names().is_err());
    }

    #[test]
    fn a_file_has_one_path_and_lies_where_it_is_found() {
        for good in ["a.csv", "in/a.csv", "1/2/3/4/5/6/7/8/a.csv"] {
            assert_eq!(good.parse::<FilePath>().expect("a path").as_str(), good);
        }
        for bad in ["", "./a.csv", "in/../a.csv", "in//a.csv", "/a.csv", ".a.csv", "1/2/3/4/5/6/7/8/9/a.csv"]
        {
            assert!(bad.parse::<FilePath>().is_err(), "{bad}");
        }
    }
}
