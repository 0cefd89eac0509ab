//! The C stacks, through the shims in `c/`.

use crate::values::{Sum, Take};
use std::ffi::{c_char, c_int, c_void};
use std::slice;

#[repr(C)]
struct CTake {
    sum: u64,
    text: Option<extern "C" fn(*mut c_void, *const c_char, usize)>,
    number: Option<extern "C" fn(*mut c_void, u64)>,
    host: Option<extern "C" fn(*mut c_void, *const c_char, usize)>,
    context: *mut c_void,
}

type Shim = unsafe extern "C" fn(*const c_char, usize, *mut CTake) -> c_int;

/// What takes values may want each of them, or only their sum.
pub trait TakeC: Take {
    fn read(&mut self, bytes: &[u8], shim: ReadByC) -> Option<()>;
}

/// A function of a shim.
#[derive(Clone, Copy)]
pub struct ReadByC(Shim);

impl ReadByC {
    fn call(self, bytes: &[u8], take: &mut CTake) -> Option<()> {
        // SAFETY: the shim reads `bytes` only, keeps nothing, and calls back with the context that came with it.
        let read = unsafe { (self.0)(bytes.as_ptr().cast(), bytes.len(), take) };
        (read == 1).then_some(())
    }
}

impl TakeC for Sum {
    fn read(&mut self, bytes: &[u8], shim: ReadByC) -> Option<()> {
        let context = std::ptr::null_mut();
        let mut take = CTake { sum: self.0, text: None, number: None, host: None, context };
        shim.call(bytes, &mut take)?;
        self.0 = take.sum;
        Some(())
    }
}

impl TakeC for crate::Listed {
    fn read(&mut self, bytes: &[u8], shim: ReadByC) -> Option<()> {
        extern "C" fn text(context: *mut c_void, text: *const c_char, length: usize) {
            listed(context).text(octets(text, length));
        }
        extern "C" fn number(context: *mut c_void, number: u64) {
            listed(context).number(number);
        }
        extern "C" fn host(context: *mut c_void, text: *const c_char, length: usize) {
            listed(context).host(String::from_utf8_lossy(octets(text, length)));
        }
        fn listed<'a>(context: *mut c_void) -> &'a mut crate::Listed {
            // SAFETY: the context is the list below, which outlives the call and is used nowhere else meanwhile.
            unsafe { &mut *context.cast() }
        }
        fn octets<'a>(text: *const c_char, length: usize) -> &'a [u8] {
            // SAFETY: the shim names `length` octets that stay as they are until it is told that they were taken.
            unsafe { slice::from_raw_parts(text.cast(), length) }
        }
        let context = std::ptr::from_mut(self).cast();
        let mut take = CTake { sum: 0, text: Some(text), number: Some(number), host: Some(host), context };
        shim.call(bytes, &mut take)
    }
}

macro_rules! stack {
    ($name:ident: $frame:ident $typed:ident) => {
        pub mod $name {
            use super::{CTake, ReadByC, TakeC};
            use std::ffi::{c_char, c_int};

            unsafe extern "C" {
                fn $frame(bytes: *const c_char, length: usize, take: *mut CTake) -> c_int;
                fn $typed(bytes: *const c_char, length: usize, take: *mut CTake) -> c_int;
            }

            pub fn frame<T: TakeC>(bytes: &[u8], take: &mut T) -> Option<()> {
                take.read(bytes, ReadByC($frame))
            }

            pub fn typed<T: TakeC>(bytes: &[u8], take: &mut T) -> Option<()> {
                take.read(bytes, ReadByC($typed))
            }
        }
    };
}

#[cfg(sofia)]
stack!(sofia: sofia_frame sofia_typed);
#[cfg(osip)]
stack!(osip: osip_frame osip_typed);

/// osip2 wants its tables set up once.
#[cfg(osip)]
pub fn ready() {
    unsafe extern "C" {
        fn osip_ready() -> c_int;
    }
    // SAFETY: called once, before any other of its functions.
    let code = unsafe { osip_ready() };
    assert_eq!(code, 0, "osip2 is not ready");
}
