//! A known signal, found again in what comes back.
