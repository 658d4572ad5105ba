#![allow(dead_code)] // until the command line uses the configuration

mod config;

fn main() {}
