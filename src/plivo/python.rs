//! How an unchanged Python program comes to talk to the sandbox.

/// A `sitecustomize.py`: in a directory on `PYTHONPATH`, with [`SANDBOX_VARIABLE`] set, it sends what a program asks of
/// `api.plivo.com` and `phlorunner.plivo.com` through `requests` (as Plivo's SDK does) to the sandbox.
pub const SITECUSTOMIZE: &str = include_str!("sitecustomize.py");

/// The environment variable that holds the sandbox's HTTP origin, such as `http://127.0.0.1:8080`.
pub const SANDBOX_VARIABLE: &str = "SIPCALL_SANDBOX_HTTP";

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// Stands for the `requests` package: says where a request would go.
    const REQUESTS: &str = r#"
class Prepared:
    def __init__(self, url): self.url = url
    def copy(self): return Prepared(self.url)

class HTTPAdapter:
    def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):
        print(request.url, proxies)
"#;

    /// What a program prints whose requests go through the stand-in.
    fn run(directory: &Path, sandbox: Option<&str>) -> Option<Vec<String>> {
        std::fs::create_dir_all(directory.join("lib/requests")).unwrap();
        std::fs::create_dir_all(directory.join("site")).unwrap();
        std::fs::write(directory.join("lib/requests/__init__.py"), "").unwrap();
        std::fs::write(directory.join("lib/requests/adapters.py"), REQUESTS).unwrap();
        std::fs::write(directory.join("lib/sitecustomize.py"), "print('own')").unwrap();
        std::fs::write(directory.join("site/sitecustomize.py"), SITECUSTOMIZE).unwrap();
        let program = "
from requests.adapters import HTTPAdapter, Prepared
proxy = {'https': 'http://proxy'}
for url in ('https://api.plivo.com/v1/Account/MA/Call/?a=b%3C', 'https://phlorunner.plivo.com/v1/phlo/1/',
            'https://api.plivo.com.example/', 'https://example.com/api.plivo.com'):
    HTTPAdapter().send(Prepared(url), proxies=proxy)
";
        let path = std::env::join_paths([directory.join("site"), directory.join("lib")]).unwrap();
        let mut command = Command::new("python3");
        command.args(["-c", program]).env("PYTHONPATH", path).env("PYTHONDONTWRITEBYTECODE", "1");
        match sandbox {
            Some(sandbox) => command.env(SANDBOX_VARIABLE, sandbox),
            None => command.env_remove(SANDBOX_VARIABLE),
        };
        let output = command.output().ok()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).unwrap().lines().map(ToOwned::to_owned).collect())
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    fn plivos_hosts_go_to_the_sandbox_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let Some(told) = run(directory.path(), Some("http://127.0.0.1:9/")) else {
            return eprintln!("SKIPPED: python3 is not installed");
        };
        let expected = [
            "own",
            "http://127.0.0.1:9/v1/Account/MA/Call/?a=b%3C {}",
            "http://127.0.0.1:9/v1/phlo/1/ {}",
            "https://api.plivo.com.example/ {'https': 'http://proxy'}",
            "https://example.com/api.plivo.com {'https': 'http://proxy'}",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    fn without_a_sandbox_nothing_changes() {
        let directory = tempfile::tempdir().unwrap();
        let Some(told) = run(directory.path(), None) else {
            return eprintln!("SKIPPED: python3 is not installed");
        };
        assert_eq!(told[1], "https://api.plivo.com/v1/Account/MA/Call/?a=b%3C {'https': 'http://proxy'}");
    }
}
