//! The kinds of URL a setting may be, and what each refuses.

use redis::IntoConnectionInfo;
use url::Url;

/// Who may ask from a browser. An origin must be spelled as browsers send it, else it would never match.
pub fn origin(text: &str) -> Result<(), String> {
    let shown = text.escape_debug();
    let url = Url::parse(text).map_err(|_| format!("`{shown}` is not an origin such as https://radio.example"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{shown}` is neither http nor https"));
    }
    let spelled = url.origin().ascii_serialization();
    if spelled == text { Ok(()) } else { Err(format!("`{shown}` is never sent; browsers send `{spelled}`")) }
}

/// The URL itself is never repeated: it may hold a password.
pub fn redis_url(text: &str) -> Result<(), String> {
    let Some(url) = redis::parse_redis_url(text) else {
        return Err("this is not a Redis URL (not shown: it may hold a password)".to_owned());
    };
    let valid = url.into_connection_info().is_ok();
    if valid {
        Ok(())
    } else {
        Err("the host, port, user or database is wrong (not shown: it may hold a password)".to_owned())
    }
}

fn http(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|reason| format!("this is not a URL ({reason})"))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err(format!("{}: is neither http nor https", url.scheme()))
    }
}

/// Where a webhook is: a path and a query are its own business.
pub fn webhook(text: &str) -> Result<(), String> {
    let url = http(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("user and password do not belong into the URL; the messages are signed".to_owned());
    }
    Ok(())
}

/// Where a Sentinel is.
pub fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match parts {
        Some((host, port)) if !host.is_empty() && port > 0 && !host.contains(['/', '@', ' ']) => {
            Ok((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port))
        }
        _ => Err(format!("`{}` is not a host and port such as 10.0.0.1:26379", text.escape_debug())),
    }
}

/// Where a Redis is whose password is in a file.
pub fn redis_without_password(text: &str) -> Result<(), String> {
    redis_url(text)?;
    let password = Url::parse(text).is_ok_and(|url| url.password().is_some());
    if password { Err("a password does not belong into the URL; see `password_file`".to_owned()) } else { Ok(()) }
}

/// Where a collector of traces is.
pub fn collector(text: &str) -> Result<(), String> {
    let url = http(text)?;
    // Not repeated: it is where a secret would be.
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("it must have no user, no password, no ? and no #; a collector of your own adds them".to_owned());
    }
    if url.path().trim_end_matches('/').ends_with("/v1/traces") {
        return Err("it is named without /v1/traces, which is added to it".to_owned());
    }
    Ok(())
}

/// Where a watched server is, or a page of it.
pub fn server(text: &str) -> Result<(), String> {
    let url = http(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("user and password do not belong into the URL; see `user` and `password_file`".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it must have no ? and no #".to_owned());
    }
    Ok(())
}
