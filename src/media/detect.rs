//! Digits in the sound: the tones of the telephone, found and made.
