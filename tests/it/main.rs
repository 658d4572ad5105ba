//! One integration binary; each file is named for the behaviour it holds.

mod architecture;
