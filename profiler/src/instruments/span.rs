//! Spans for the Tracy profiler, in builds with the feature `tracy`; nothing elsewhere. Only phases are marked,
//! and shadowed messages: a span inside a timed call would be timed.

/// Lasts until it is dropped.
#[must_use]
pub struct Span {
    #[cfg(feature = "tracy")]
    _open: Option<tracy_client::Span>,
}

/// Connects with Tracy, where this build can.
pub fn start() {
    #[cfg(feature = "tracy")]
    tracy_client::Client::start();
}

/// Opens a span on this thread.
pub fn span(name: &'static str) -> Span {
    #[cfg(not(feature = "tracy"))]
    let _ = name;
    Span {
        #[cfg(feature = "tracy")]
        _open: tracy_client::Client::running()
            .map(|client| client.span_alloc(Some(name), "", "", 0, 0)),
    }
}
