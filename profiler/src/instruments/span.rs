//! Spans for the Tracy profiler in builds with the feature `tracy`; no-ops in others. Only phases and shadowed
//! messages have spans: a span inside a timed call would be timed.

/// An open span; ends when dropped.
#[must_use]
pub struct Span {
    #[cfg(feature = "tracy")]
    _open: Option<tracy_client::Span>,
}

/// Starts the Tracy client in builds with the feature `tracy`.
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
