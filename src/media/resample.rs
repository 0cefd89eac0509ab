//! Between 8, 16 and 48 kHz.
