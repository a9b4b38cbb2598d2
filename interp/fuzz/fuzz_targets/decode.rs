//! The input is code, of any bytes: decoding bears it, and it ends alike in both modes and on `revm`.

#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

libfuzzer_sys::fuzz_target!(|code: &[u8]| common::three_way::check_code(code).unwrap());
