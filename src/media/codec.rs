//! What turns samples into payloads and back.
