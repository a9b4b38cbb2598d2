//! The command `evmscope`: arguments and dispatch only.

fn main() {}
