//! Builds the shims of the C stacks whose development packages are there, and says loudly which are not.

use std::process::Command;

fn main() {
    for (name, package, debian) in
        [("sofia", "sofia-sip-ua", "libsofia-sip-ua-dev"), ("osip", "libosip2", "libosip2-dev")]
    {
        println!("cargo::rustc-check-cfg=cfg({name})");
        println!("cargo::rerun-if-changed=c/{name}.c");
        println!("cargo::rerun-if-changed=c/take.h");
        let Some(flags) = flags(package) else {
            println!("cargo::warning={package} IS NOT MEASURED: apt-get install {debian} pkg-config");
            continue;
        };
        let mut build = cc::Build::new();
        build.file(format!("c/{name}.c")).opt_level(2).debug(true);
        for flag in flags.split_whitespace() {
            match flag.split_at_checked(2) {
                Some(("-I", path)) => _ = build.include(path),
                Some(("-l", library)) => println!("cargo::rustc-link-lib={library}"),
                _ => {}
            }
        }
        build.compile(&format!("{name}_shim"));
        println!("cargo::rustc-cfg={name}");
        println!("cargo::rustc-env={}_VERSION={}", name.to_uppercase(), version(package));
    }
}

fn flags(package: &str) -> Option<String> {
    pkg_config(&["--cflags", "--libs", package])
}

fn version(package: &str) -> String {
    pkg_config(&["--modversion", package]).unwrap_or_default()
}

fn pkg_config(arguments: &[&str]) -> Option<String> {
    let output = Command::new("pkg-config").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
