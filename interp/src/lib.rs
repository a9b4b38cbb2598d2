//! The EVM: semantics written once, and the modes that dispatch them.
