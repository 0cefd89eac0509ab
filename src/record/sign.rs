//! Files beside the store whose lock tells other processes something.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A file beside the store, `STORE-NAME`, that this process holds locked until this is dropped.
#[derive(Debug)]
pub(super) struct Sign {
    path: PathBuf,
    _lock: File,
}

impl Sign {
    /// Locks it, once nobody else does.
    pub(super) fn hold(store: &Path, name: &str) -> io::Result<Self> {
        let (path, lock) = open(store, name)?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }

    /// Locks it, unless somebody else does.
    pub(super) fn claim(store: &Path, name: &str) -> io::Result<Option<Self>> {
        let (path, lock) = open(store, name)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { path, _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for Sign {
    fn drop(&mut self) {
        // Left behind, it tells the same: nobody holds it.
        let _ = fs::remove_file(&self.path);
    }
}

fn open(store: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    let mut path = store.as_os_str().to_owned();
    path.push("-");
    path.push(name);
    let file = private(OpenOptions::new().write(true).create(true).truncate(false)).open(&path)?;
    Ok((PathBuf::from(path), file))
}

/// Makes the store's file where there is none, and directories on the way, for their owner alone. One that is there is
/// not even opened: closing it again would drop the locks that another store of this process holds on it (POSIX locks
/// belong to the process).
pub(super) fn make_file(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(parent)?;
    }
    match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
