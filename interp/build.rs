//! Sets `tail_calls` if the build turns calls in tail position into jumps, for the dispatch of both modes.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(tail_calls)");
    let variable = |name| std::env::var(name).unwrap_or_default();
    let optimised = matches!(variable("OPT_LEVEL").as_str(), "2" | "3");
    let checked = std::env::var_os("CARGO_CFG_DEBUG_ASSERTIONS").is_some();
    let known = matches!(
        variable("CARGO_CFG_TARGET_ARCH").as_str(),
        "x86_64" | "aarch64"
    );
    // Sanitizers and Miri add code at returns, so calls are no longer in tail position.
    let plain = std::env::var_os("CARGO_CFG_SANITIZE").is_none()
        && std::env::var_os("CARGO_CFG_MIRI").is_none();
    if optimised && !checked && known && plain {
        println!("cargo::rustc-cfg=tail_calls");
    }
}
