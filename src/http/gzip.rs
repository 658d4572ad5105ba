//! Whether a client takes gzip.

use actix_web::{
    HttpRequest,
    http::header::{self, AcceptEncoding, Encoding, Header},
};

/// Only who says so does.
pub fn takes_gzip(request: &HttpRequest) -> bool {
    let offered = [Encoding::gzip(), Encoding::identity()];
    request.headers().contains_key(header::ACCEPT_ENCODING)
        && AcceptEncoding::parse(request).is_ok_and(|accept| accept.negotiate(offered.iter()) == Some(Encoding::gzip()))
}
