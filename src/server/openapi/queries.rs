//! What each call takes in its query, as the API's document has it. All else is refused: were a misspelled parameter
//! unheeded, what was meant as a dry run would be done, and a list would be of everything.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use utoipa::openapi::{
    OpenApi, RefOr,
    path::{Operation, Parameter, ParameterIn, PathItem},
};

use crate::{
    server::{AppState, CallerContext, error::problem_response},
    shared::Problem,
};

/// The names of what calls take in their query, by route and method.
#[derive(Clone, Debug)]
pub struct Queries(Arc<HashMap<String, HashMap<Method, Vec<String>>>>);

impl Queries {
    /// Of the document as the handlers' attributes make it, whose paths are those of the router.
    pub fn new(api: &OpenApi) -> Self {
        let routes = api.paths.paths.iter().map(|(route, item)| (route.clone(), calls(item)));
        Self(Arc::new(routes.collect()))
    }

    /// What the call takes; `None` for one that the document does not have.
    fn of(&self, route: &str, method: &Method) -> Option<&[String]> {
        let calls = self.0.get(route)?;
        // Whatever answers GET answers HEAD too.
        let names = if *method == Method::HEAD { calls.get(&Method::GET) } else { calls.get(method) };
        names.map(Vec::as_slice)
    }

    /// # Errors
    /// 422 naming the first parameter that the call does not have.
    fn check(&self, request: &Request) -> Result<(), Problem> {
        let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let Some(names) = self.of(route, request.method()) else { return Ok(()) };
        let query = request.uri().query().unwrap_or_default();
        let mut given = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
        match given.find(|name| !names.iter().any(|known| known == name)) {
            Some(unknown) => Err(Problem::invalid_field(unknown, fault(names))),
            None => Ok(()),
        }
    }
}

fn calls(item: &PathItem) -> HashMap<Method, Vec<String>> {
    let all = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::PATCH, &item.patch),
    ];
    all.into_iter().filter_map(|(method, call)| Some((method, names(call.as_ref()?)))).collect()
}

fn names(call: &Operation) -> Vec<String> {
    let of_query = |parameter: &RefOr<Parameter>| match parameter {
        RefOr::T(Parameter { name, parameter_in: ParameterIn::Query, .. }) => Some(name.clone()),
        _ => None,
    };
    call.parameters.iter().flatten().filter_map(of_query).collect()
}

fn fault(names: &[String]) -> String {
    match names {
        [] => "there is no such parameter, nor any other".to_owned(),
        [one] => format!("there is no such parameter; there is {one}"),
        _ => format!("there is no such parameter; there are {}", names.join(", ")),
    }
}

/// The layer around the API.
pub async fn refuse_unknown(
    State((app, queries)): State<(AppState, Queries)>,
    request: Request,
    next: Next,
) -> Response {
    let Err(problem) = queries.check(&request) else { return next.run(request).await };
    // A stranger is told that first, as by each call itself.
    let (parts, _) = request.into_parts();
    match CallerContext::authenticate(&app, &parts).await {
        Ok(_) => problem_response(problem),
        Err(error) => problem_response(error.into_problem()),
    }
}
