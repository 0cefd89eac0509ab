//! Counts what is allocated at a time, so that no input costs more memory than its length allows.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(held, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

/// Runs `run` on `data`; it holds at no time more than `base` octets and `each` for every octet of `data`.
pub fn bounded<'d, T>(data: &'d [u8], base: usize, each: usize, run: impl FnOnce(&'d [u8]) -> T) -> T {
    let before = HELD.load(Relaxed);
    MOST.store(before, Relaxed);
    let value = run(data);
    let (held, most) = (MOST.load(Relaxed).saturating_sub(before), base + each * data.len());
    assert!(held <= most, "{} octets cost {held} of memory, more than {most}", data.len());
    value
}
