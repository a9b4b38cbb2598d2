//! The input is code, which may be any bytes. Translation must not fail, and both modes and `revm` must
//! agree.

#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

libfuzzer_sys::fuzz_target!(|code: &[u8]| common::three_way::check_code(code).unwrap());
