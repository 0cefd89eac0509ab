use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

struct Files {
    directory: tempfile::TempDir,
    flags: Vec<(&'static str, String)>,
    variables: Vec<(&'static str, &'static str)>,
    names: Vec<&'static str>,
}

impl Files {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), flags: vec![], variables: vec![], names: vec![] }
    }

    /// `user.toml`, `sipcall.toml` or `given.toml`.
    fn file(mut self, name: &'static str, text: &str) -> Self {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self.names.push(name);
        self
    }

    fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    fn flag(mut self, name: &'static str, value: &str) -> Self {
        self.flags.push((name, value.to_owned()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn load(&self) -> Result<Config, ConfigError> {
        let path = |name| self.names.contains(&name).then(|| self.path(name));
        Config::load(&Sources {
            flags: self.flags.clone(),
            variable: &|name| {
                self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            },
            given: path("given.toml"),
            project: path("sipcall.toml"),
            user: path("user.toml"),
        })
    }

    fn refused(&self) -> String {
        self.load().map_or_else(|error| error.to_string(), |config| format!("taken: {config:?}"))
    }
}

const WORK: &str = "default_account = \"work\"\n[account.work]\nuri = \"sip:zumba@phone.plivo.com\"\n";

#[test]
fn every_key_has_a_documented_default_and_every_default_a_key() {
    let settings = read(DEFAULTS, Path::new("config.toml")).unwrap();
    let documented: Vec<&str> = settings.iter().map(|setting| setting.key.as_str()).collect();
    for (key, _) in TOP {
        assert!(documented.contains(&key), "{key}");
    }
    assert_eq!(documented.len(), TOP.len());
    for (key, _) in keys::ACCOUNT {
        assert!(DEFAULTS.contains(&format!("\n# {key} = ")), "{key}");
    }
}

#[test]
fn the_documented_account_is_a_valid_one() {
    let start = DEFAULTS.find("# [account.work]").unwrap();
    let example = DEFAULTS[start..].replace("\n# ", "\n").replacen("# ", "", 1);
    let config = Files::new().file("given.toml", &example).load().unwrap();
    assert_eq!(config.accounts(), ["work"]);
}

#[test]
fn the_nearer_source_wins_and_says_where_it_is() {
    let mut files = Files::new();
    let origin = |files: &Files| {
        let config = files.load().unwrap();
        let (value, origin) = config.values.get("talk").unwrap();
        (value.clone(), origin.to_string().rsplit('/').next().unwrap().to_owned())
    };
    let pair = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(origin(&files), pair("", "default"));
    files = files.file("user.toml", "talk = \"1s\"");
    assert_eq!(origin(&files), pair("1s", "user.toml:1"));
    files = files.file("sipcall.toml", "# a comment\ntalk = \"2s\"");
    assert_eq!(origin(&files), pair("2s", "sipcall.toml:2"));
    files = files.file("given.toml", "talk = 3");
    assert_eq!(origin(&files), pair("3", "given.toml:1"));
    files = files.variable("SIPCALL_TALK", "4s");
    assert_eq!(origin(&files), pair("4s", "SIPCALL_TALK"));
    files = files.flag("talk", "6s");
    assert_eq!(origin(&files), pair("6s", "--talk"));
    assert_eq!(files.load().unwrap().time("talk"), Some(Duration::from_secs(6)));
}

#[test]
fn a_typing_error_names_file_line_and_the_nearest_key() {
    let told = Files::new().file("user.toml", "\n\ntlak = \"1s\"").refused();
    assert!(told.ends_with("user.toml:3: unknown key tlak: did you mean talk?"), "{told}");
    let told = Files::new().file("given.toml", "[account.work]\nurl = \"sip:a@b\"").refused();
    assert!(told.ends_with("given.toml:2: unknown key account.work.url: did you mean uri?"), "{told}");
    let told = Files::new().file("user.toml", "[listen]\nexec = \"true\"").refused();
    assert!(
        told.contains("user.toml:1: unknown key listen; known are default_account, profile, header_rules"),
        "{told}"
    );
}

#[test]
fn a_wrong_value_names_its_place_and_what_to_write() {
    let told = Files::new().file("user.toml", "talk = \"5x\"").refused();
    assert!(told.ends_with("user.toml:1: talk: write a duration as 500ms, 5s, 2m or 1h"), "{told}");
    let told = Files::new().file("user.toml", "talk = [1]").refused();
    assert!(told.contains("user.toml:1: talk: write a duration"), "{told}");
    let told = Files::new().file("user.toml", "talk = \"1s\"\nbroken").refused();
    assert!(told.contains("user.toml:2:7: "), "{told}");
    let told = Files::new().file("user.toml", "[account.work]\nregister = 1.5").refused();
    assert!(told.ends_with("user.toml:2: account.work.register: write true or false"), "{told}");
    for (name, value, told) in [
        ("SIPCALL_MESSAGES", "maybe", "SIPCALL_MESSAGES: write true or false"),
        ("SIPCALL_BIND", "127.0.0.1", "SIPCALL_BIND: write ADDR:PORT, as in 192.0.2.1:0"),
        ("SIPCALL_TALK", "5x", "SIPCALL_TALK: write a duration as 500ms, 5s, 2m or 1h"),
    ] {
        assert_eq!(Files::new().variable(name, value).refused(), told);
    }
    assert_eq!(Files::new().flag("transport", "sctp").refused(), "--transport: write one of udp, tcp");
}

#[test]
fn the_account_to_use_is_not_named_like_the_table_of_accounts() {
    let told = Files::new().file("user.toml", "account = \"work\"").refused();
    assert!(told.contains("default_account"), "{told}");
    let told = Files::new().file("user.toml", &WORK.replace("default_account", "account")).refused();
    assert!(told.contains("default_account"), "{told}");
}

#[test]
fn a_named_file_has_to_exist_and_the_others_need_not() {
    let files = Files::new();
    let load = |given: Option<PathBuf>, user: Option<PathBuf>| {
        Config::load(&Sources { flags: vec![], variable: &|_| None, given, project: user.clone(), user })
    };
    assert!(matches!(load(Some(files.path("none.toml")), None), Err(ConfigError::Read { .. })));
    load(None, Some(files.path("none.toml"))).unwrap();
}

#[test]
fn a_project_may_set_defaults_and_add_accounts() {
    let project = "talk = \"1s\"\n[account.lab]\nuri = \"sip:a@127.0.0.1\"\n[account.work.headers]\nTeam = \"7\"";
    let config = Files::new().file("user.toml", WORK).file("sipcall.toml", project).load().unwrap();
    assert_eq!(config.accounts(), ["lab", "work"]);
    assert_eq!(config.account().unwrap().unwrap().headers, [("Team".to_owned(), "7".to_owned())]);
}

#[test]
fn a_project_may_not_redirect_an_account_of_the_user() {
    for key in keys::GUARDED {
        let project = format!("[account.work]\n{key} = \"sip:zumba@evil.example\"");
        let told = Files::new().file("user.toml", WORK).file("sipcall.toml", &project).refused();
        assert!(told.contains(&format!("sipcall.toml:2: a project's file may not set account.work.{key}")), "{told}");
    }
    let told = Files::new().file("sipcall.toml", "[account.lab]\npassword_command = \"rm -r .\"").refused();
    assert!(told.contains("may not set account.lab.password_command"), "{told}");
    let given = Files::new().file("user.toml", WORK).file("given.toml", "[account.work]\nproxy = \"sip:p\"");
    assert_eq!(given.load().unwrap().account().unwrap().unwrap().proxy.as_deref(), Some("sip:p"));
}

#[test]
fn a_file_with_a_password_is_for_its_owner_alone() {
    let files = Files::new().file("user.toml", "[account.work]\nuri = \"sip:a@b\"\npassword = \"x\"");
    files.load().unwrap();
    for mode in [0o640, 0o604, 0o644] {
        fs::set_permissions(files.path("user.toml"), fs::Permissions::from_mode(mode)).unwrap();
        assert!(files.refused().contains("chmod 600"), "{mode:o}");
    }
    let open = Files::new().file("user.toml", WORK);
    fs::set_permissions(open.path("user.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    open.load().unwrap();
}

#[test]
fn passwords_are_shown_to_nobody() {
    let config =
        Files::new().file("user.toml", "[account.work]\nuri = \"sip:a@b\"\npassword = \"hush\"").load().unwrap();
    assert!(config.entries().all(|(_, value, _)| !value.contains("hush")));
    assert!(config.entries().any(|(key, value, _)| key == "account.work.password" && value == "(redacted)"));
}

fn secret(text: &str) -> Option<crate::call::digest::Secret> {
    Some(crate::call::digest::Secret::Password(text.to_owned()))
}

#[test]
fn passwords_come_from_the_nearest_source() {
    let files = Files::new().file("flag", "of-flag\nrest").file("own", "of-file\r\n");
    let work = |rest: &str| format!("default_account = \"work\"\n[account.work]\nuri = \"sip:a@b\"\n{rest}");
    let own = format!("password_file = \"{}\"\npassword = \"of-config\"", files.path("own").display());
    let of = |files: Files, asked: &Asked| {
        let config = files.load().unwrap();
        password(&config, &config.account().unwrap().unwrap(), asked).map_err(|error| error.to_string())
    };
    let user = |text: &str| Files::new().file("user.toml", text);
    let mut asked = Asked::default();
    assert_eq!(of(user(&work("password = \"of-config\"")), &asked), Ok(secret("of-config")));
    assert_eq!(of(user(&work(&own)), &asked), Ok(secret("of-file")));
    let command = work("password_command = \"echo of-command; echo rest\"\npassword = \"of-config\"");
    assert_eq!(of(user(&command), &asked), Ok(secret("of-command")));
    asked.variable = secret("of-variable");
    assert_eq!(of(user(&command), &asked), Ok(secret("of-variable")));
    asked.file = Some(files.path("flag"));
    assert_eq!(of(user(&command), &asked), Ok(secret("of-flag")));
    fs::set_permissions(files.path("flag"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(of(user(&command), &asked).unwrap_err().contains("chmod 600"));
    let failing = of(user(&work("password_command = \"exit 3\"")), &Asked::default()).unwrap_err();
    assert!(failing.contains("failed (exit status: 3)"), "{failing}");
    assert!(of(user(&work("password_command = \"true\"")), &Asked::default()).unwrap_err().contains("is empty"));
}

#[test]
fn an_account_is_who_is_named_or_who_is_given() {
    let account = |files: Files| files.load().unwrap().account();
    assert_eq!(account(Files::new()).unwrap(), None);
    let work = account(Files::new().file("user.toml", WORK)).unwrap().unwrap();
    assert_eq!((work.name.as_deref(), work.uri.as_str()), (Some("work"), "sip:zumba@phone.plivo.com"));
    assert_eq!((work.user.as_str(), work.domain.as_str(), work.profile.as_str()), ("zumba", "phone.plivo.com", "auto"));
    let other = account(Files::new().file("user.toml", WORK).flag("user", "bob@127.0.0.1:5060")).unwrap().unwrap();
    assert_eq!((other.name, other.uri.as_str()), (None, "sip:bob@127.0.0.1:5060"));
    let both = Files::new().file("user.toml", WORK).flag("user", "bob").flag("account", "work");
    let both = account(both).unwrap().unwrap();
    assert_eq!((both.name.as_deref(), both.uri.as_str()), (Some("work"), "sip:bob@phone.plivo.com"));
    let given = Files::new().variable("SIPCALL_USER", "bob").variable("SIPCALL_DOMAIN", "example.com");
    assert_eq!(account(given).unwrap().unwrap().uri, "sip:bob@example.com");
}

#[test]
fn an_account_that_cannot_be_used_says_why() {
    let refused = |files: Files| files.load().unwrap().account().unwrap_err().to_string();
    let told = refused(Files::new().file("user.toml", WORK).flag("account", "wrok"));
    assert_eq!(told, "no account is named wrok: did you mean work? There are work");
    assert!(refused(Files::new().flag("account", "x")).contains("`sipcall config path`"));
    assert!(refused(Files::new().flag("user", "bob")).contains("--domain"));
    let password = WORK.replace("zumba@", "zumba:secret@");
    assert!(refused(Files::new().file("user.toml", &password)).contains("take the password out"));
    let broken = WORK.replace("sip:zumba@phone.plivo.com", "nonsense");
    assert!(refused(Files::new().file("user.toml", &broken)).contains("user.toml:3: account.work.uri: "));
}

#[test]
fn what_an_account_says_yields_to_flags_and_not_to_files() {
    let text = format!("transport = \"udp\"\n{WORK}transport = \"tcp\"\nprofile = \"plivo\"\nexpires = \"1h\"");
    let account = |files: Files| files.load().unwrap().account().unwrap().unwrap();
    let own = account(Files::new().file("user.toml", &text));
    assert_eq!((own.transport.as_deref(), own.profile.as_str()), (Some("tcp"), "plivo"));
    assert_eq!(own.expires, Some(Duration::from_secs(3600)));
    let flagged = account(Files::new().file("user.toml", &text).flag("transport", "udp").flag("expires", "60"));
    assert_eq!((flagged.transport.as_deref(), flagged.expires), (Some("udp"), Some(Duration::from_secs(60))));
}

#[test]
fn an_account_is_what_the_agent_takes() {
    let text = format!("{WORK}auth_user = \"z\"\nproxy = \"sip:127.0.0.1:5060;lr\"\ntransport = \"tcp\"");
    let settings = Files::new().file("user.toml", &text).load().unwrap().account().unwrap().unwrap();
    let account = settings.to_account(secret("x"), crate::agent::Profile::NONE, Vec::new()).unwrap();
    assert_eq!((account.name.as_str(), account.aor.as_str()), ("work", "sip:zumba@phone.plivo.com"));
    assert_eq!(account.login.map(|login| login.username).as_deref(), Some("z"));
    assert_eq!(account.transport, Some(crate::agent::Transport::Tcp));
    let broken = AccountSettings { proxy: Some("nonsense".to_owned()), ..settings };
    let told = broken.to_account(None, crate::agent::Profile::NONE, Vec::new()).unwrap_err().to_string();
    assert!(told.starts_with("account work: proxy: "), "{told}");
}
