//! The input decides a scene, as in `tests/differential.rs`: it ends alike in both modes and on `revm`.

#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| common::three_way::check_bytes(bytes).unwrap());
