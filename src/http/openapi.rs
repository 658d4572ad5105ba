//! `GET /api/v1/openapi.json`: the API for programs, OpenAPI 3.1.

use actix_web::{HttpResponse, get};

const DOCUMENT: &str = include_str!("openapi.json");

#[get("/api/v1/openapi.json")]
pub async fn get() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::DOCUMENT;

    /// The routes as the source declares them, without the dashboard's own files.
    fn declared() -> BTreeSet<(String, String)> {
        let mut routes = BTreeSet::new();
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/http")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            for line in std::fs::read_to_string(path).unwrap().lines() {
                for method in ["get", "post", "delete"] {
                    if let Some(rest) = line.strip_prefix(&format!("#[{method}(\"")) {
                        routes.insert((method.to_owned(), rest.split('"').next().unwrap().to_owned()));
                    }
                }
            }
        }
        routes.retain(|(_, path)| path != "/" && !path.starts_with("/monitoring/"));
        routes
    }

    #[test]
    fn every_route_is_described_and_nothing_else_is() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in ["get", "post", "delete"] {
                if item.get(method).is_some() {
                    described.insert((method.to_owned(), path.clone()));
                }
            }
        }
        assert_eq!(described, declared());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        for part in DOCUMENT.split("\"$ref\": \"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn every_answer_is_described_with_the_id_of_its_request() {
        let document: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in ["get", "post", "delete"] {
                for (status, answer) in item[method]["responses"].as_object().into_iter().flatten() {
                    assert!(answer["headers"].get("X-Request-Id").is_some(), "{method} {path} {status}");
                }
            }
        }
    }

    #[test]
    fn the_version_is_the_daemons() {
        assert!(DOCUMENT.contains(&format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"))));
    }
}
