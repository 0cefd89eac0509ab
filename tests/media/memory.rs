//! Counts what a test holds, so that no peer makes it grow.

#![allow(unsafe_code, reason = "an allocator cannot be written without; it hands everything on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Octets that this thread holds, and the most it held. A test has a thread of its own.
    static HELD: Cell<(i64, i64)> = const { Cell::new((0, 0)) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        note(-(layout.size() as i64));
        unsafe { System.dealloc(at, layout) }
    }
}

fn note(octets: i64) {
    // A thread that ends has nothing to count with any more.
    let _ = HELD.try_with(|held| {
        let now = held.get().0 + octets;
        held.set((now, held.get().1.max(now)));
    });
}

/// The most octets that `run` held at a time, beyond what there was before.
pub(crate) fn most_held(run: impl FnOnce()) -> usize {
    let before = HELD.with(|held| {
        let (now, _) = held.get();
        held.set((now, now));
        now
    });
    run();
    usize::try_from(HELD.with(Cell::get).1 - before).unwrap()
}
