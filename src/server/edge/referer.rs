//! Which page a plain form leads back to.
//!
//! Leptos leads whoever sends a form to a server function to the page that the browser says it stands on (`Referer`),
//! whichever site that is of. So it is told of that page's path alone, and leads to a path: whoever sent the form stays where
//! they are, by whatever address a proxy has them reach this server.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use url::{Position, Url};

/// Nobody's (RFC 6761, section 6.4). Leptos says what went wrong at the end of an absolute address, and of no other.
const NOBODYS: &str = "http://page.invalid";

/// Leads back within our own pages.
pub async fn own_only(mut request: Request, next: Next) -> Response {
    if let Some(page) = request.headers().get(header::REFERER) {
        let path = page.to_str().ok().and_then(path_of).unwrap_or_else(|| "/".to_owned());
        let page = HeaderValue::try_from(format!("{NOBODYS}{path}"));
        request.headers_mut().insert(header::REFERER, page.unwrap_or(HeaderValue::from_static(NOBODYS)));
    }
    let mut response = next.run(request).await;
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let path = location.and_then(|location| location.strip_prefix(NOBODYS)).map(HeaderValue::try_from);
    if let Some(Ok(path)) = path {
        response.headers_mut().insert(header::LOCATION, path);
        // Where a form is refused, the answer has the status of that, and no browser would go on.
        *response.status_mut() = StatusCode::FOUND;
    }
    response
}

/// The path of a page, with its query. What begins with two slashes would name another site.
fn path_of(page: &str) -> Option<String> {
    let page = Url::parse(page).ok().filter(|page| matches!(page.scheme(), "http" | "https"))?;
    let path = &page[Position::BeforePath..Position::AfterQuery];
    Some(format!("/{}", path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_page_the_path_is_told_and_never_a_site() {
        for (page, path) in [
            ("http://x.example/t/acme?a=b&c#d", Some("/t/acme?a=b&c")),
            ("https://x.example", Some("/")),
            ("https://x.example?a", Some("/?a")),
            ("https://x.example//evil.example/", Some("/evil.example/")),
            ("https://x.example/\\evil.example/", Some("/evil.example/")),
            ("https://x.example/./\t//evil.example", Some("/evil.example")),
            ("https://x.example/a/..//evil.example", Some("/evil.example")),
            ("https://x.example/%2e//evil.example", Some("/evil.example")),
            ("https://x.example/a b\u{fc}", Some("/a%20b%C3%BC")),
            ("ftp://x.example/a", None),
            ("javascript:alert(1)", None),
            ("//x.example/a", None),
            ("", None),
        ] {
            assert_eq!(path_of(page).as_deref(), path, "{page}");
        }
    }
}
