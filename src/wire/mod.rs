//! Floor 0: bytes to values and back. Total, panic-free, no time, no state.
