//! Counts allocations, so that none goes unseen.

#![allow(unsafe_code, reason = "an allocator cannot be written without; it hands everything on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static CALLS: AtomicU64 = AtomicU64::new(0);
static OCTETS: AtomicU64 = AtomicU64::new(0);

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

fn note(size: usize) {
    CALLS.fetch_add(1, Relaxed);
    OCTETS.fetch_add(size as u64, Relaxed);
}

/// How often `run` allocated or reallocated, and how many octets in all.
pub(crate) fn allocations<T>(run: impl FnOnce() -> T) -> (u64, u64) {
    let before = (CALLS.load(Relaxed), OCTETS.load(Relaxed));
    drop(std::hint::black_box(run()));
    (CALLS.load(Relaxed) - before.0, OCTETS.load(Relaxed) - before.1)
}
