//! The span that a simulation counts and that a sampler watches: the body of one function, known by its name.

/// Part of the name of [`measured_region`], in symbol tables and in the names for people.
pub const NAME: &str = "measured_region";

/// Exactly one call of `work`.
///
/// Never inlined, so that valgrind and the symbol table know it by its name.
#[inline(never)]
pub fn measured_region(work: &mut dyn FnMut()) {
    work();
    // Keeps the call from becoming a jump, which would leave the region before the work begins.
    std::hint::black_box(());
}
