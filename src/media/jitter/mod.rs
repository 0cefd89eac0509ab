//! What waits for its turn, and what is played for what is lost.
