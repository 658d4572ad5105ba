//! Who may do what: tokens and their roles, and who a request comes from. Pure, but for reading and writing the file
//! of the tokens.
//!
//! Without a file of tokens the house is open: whoever reaches the port may do everything, which is why it then listens
//! on loopback only. With one, every request needs a token whose role allows what it asks for.

pub mod address;
pub mod book;
pub mod bucket;
pub mod caller;
pub mod names;
pub mod role;
pub mod token;

use crate::config::{Config, ConfigError, Problem};

/// The tokens that a configuration names. One that would let the network in without any is refused.
///
/// # Errors
/// When the file of the tokens is not there or not right, or when the daemon would be open to the network.
pub fn tokens(config: &Config) -> Result<book::Book, ConfigError> {
    let book = book::Book::load(config.access.tokens_file.as_deref())
        .map_err(|error| ConfigError::from(Problem::new("access.tokens_file", error.to_string())))?;
    config.refuse_open_network(!book.is_open())?;
    Ok(book)
}
