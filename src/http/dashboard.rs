//! `/monitoring`: the dashboard, built into the binary.

use actix_web::{HttpRequest, HttpResponse, get, http::header, web};
#[cfg(page)]
use rust_embed::RustEmbed;

/// What `npm run build` made. Where there is none, or one that its sources would not make, `build.rs` says so instead.
#[cfg(page)]
#[derive(RustEmbed)]
#[folder = "frontend/dist"]
struct Pages;

#[cfg(not(page))]
struct Pages;

#[cfg(not(page))]
impl Pages {
    fn get(_: &str) -> Option<rust_embed::EmbeddedFile> {
        None
    }
}

/// Scripts, styles and connections only from here; nothing inline, no frames.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[get("/")]
pub async fn root() -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((header::LOCATION, "/monitoring")).finish()
}

#[get("/monitoring")]
pub async fn bare(request: HttpRequest) -> HttpResponse {
    page(&request, "index.html")
}

#[get("/monitoring/{path:.*}")]
pub async fn below(request: HttpRequest, path: web::Path<String>) -> HttpResponse {
    let path = path.into_inner();
    // Paths of the page's own router are the page, too; only a missing asset is missing.
    if Pages::get(&path).is_some() || path.starts_with("assets/") {
        return page(&request, &path);
    }
    page(&request, "index.html")
}

fn page(request: &HttpRequest, path: &str) -> HttpResponse {
    let Some(file) = Pages::get(path) else {
        return HttpResponse::NotFound()
            .content_type("text/plain; charset=utf-8")
            .body("The dashboard is not in this binary. Build it: `make frontend`, then build the daemon again.\n");
    };
    let tag: String = file.metadata.sha256_hash()[..16].iter().map(|b| format!("{b:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let fresh = request.headers().get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str());
    // Assets carry their content's hash in their names; the page itself is asked for each time.
    let keep = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = if fresh { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, keep))
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"));
    if fresh {
        return response.finish();
    }
    response.content_type(file.metadata.mimetype()).body(file.data.into_owned())
}
