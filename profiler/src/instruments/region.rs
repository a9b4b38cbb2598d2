//! The region that a simulation counts and a sampler observes: the body of one function, found by its name.

/// Substring of the name of [`measured_region`], both mangled and demangled.
pub const NAME: &str = "measured_region";

/// Calls `work` once and returns its result.
///
/// Never inlined, so that valgrind and the symbol table find it by name.
#[inline(never)]
pub fn measured_region<T>(work: &mut dyn FnMut() -> T) -> T {
    let result = work();
    // Prevents a tail call, which would leave the region before the work begins.
    std::hint::black_box(());
    result
}
