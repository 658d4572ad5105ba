//! Whether whoever asks takes gzip.

use actix_web::{
    HttpRequest,
    http::header::{self, AcceptEncoding, Encoding, Header},
};

/// Whoever says nothing of it does not.
pub fn is_taken_by(request: &HttpRequest) -> bool {
    let offered = [Encoding::gzip(), Encoding::identity()];
    request.headers().contains_key(header::ACCEPT_ENCODING)
        && AcceptEncoding::parse(request).is_ok_and(|accept| accept.negotiate(offered.iter()) == Some(Encoding::gzip()))
}
