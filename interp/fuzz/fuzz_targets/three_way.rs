//! The input determines a scene, as in `tests/differential.rs`. Both modes and `revm` must agree.

#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| common::three_way::check_bytes(bytes).unwrap());
