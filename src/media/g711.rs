//! Both laws of G.711.
