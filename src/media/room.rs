//! Who hears whom.
