//! Nothing but its tests: see `suite/`.
