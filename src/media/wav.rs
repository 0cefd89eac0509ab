//! Sound in files.
