#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| roomkey_fuzz::run("policy", input));
