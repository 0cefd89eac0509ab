//! A sandbox that runs beside, and one around a command.

use crate::home::{Home, Sandbox, finish, start};

#[test]
fn a_running_sandbox_takes_registrations_calls_and_pings() {
    let home = Home::new();
    let sandbox = Sandbox::start(&home);
    assert_eq!(sandbox.ready["sip_tcp"], sandbox.ready["sip_udp"]);
    assert_eq!(sandbox.ready["auth_id"].as_str().unwrap().len(), 20);
    let http = sandbox.http();

    let registered = home.run(&format!("register alice --sandbox={http} --once --output json")).expect(0).json();
    assert_eq!(registered["schema"], "sipcall.registration/1");
    assert_eq!(registered["aor"], "sip:alice@phone.plivo.com");
    assert_eq!(registered["bindings"][0]["ours"], true);
    home.run(&format!("register nobody --sandbox={http} --once")).expect(3);

    let line = format!("invite echo -H Test=Sample --sandbox={http} --transport tcp --talk 0 --output json");
    let call = home.run(&line).expect(0).json();
    assert_eq!(call["transport"], "tcp");
    assert_eq!(call["plivo"]["hangup_source"], "Caller");
    let run = finish(start(home.command("invite busy -q").env("SIPCALL_SANDBOX", http)));
    run.expect(42);
    assert_eq!(home.rows().len(), 2);
}

#[test]
fn options_tells_who_is_there() {
    let home = Home::new();
    let sandbox = Sandbox::start(&home);
    let target = format!("sip:{}", sandbox.sip());
    let text = home.run(&format!("options {target}")).expect(0).out;
    assert!(text.starts_with("200        OK from 127.0.0.1:") && text.contains("allow     INVITE"), "{text}");
    let answer = home.run(&format!("options {target} --output json --transport tcp")).expect(0).json();
    assert_eq!((&answer["schema"], &answer["status"]), (&"sipcall.options/1".into(), &200.into()));
    home.run(&format!("options {target} --expect 486")).expect(70);
    let several = home.run(&format!("options {target} -c 3 -i 10ms")).expect(0).out;
    assert!(several.lines().last().unwrap().starts_with("3 sent, 3 answered, 0 % lost"), "{several}");
}

#[test]
fn a_command_inside_a_sandbox_has_its_credentials_and_its_code_counts() {
    let home = Home::new();
    let run = home.run("sandbox -- sh -c 'env; exit 9'").expect(9);
    let value = |name: &str| run.out.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let id = value("PLIVO_AUTH_ID").unwrap();
    assert!(id.starts_with("MA") && id.len() == 20, "{id}");
    assert!(value("PLIVO_AUTH_TOKEN").is_some_and(|token| token.len() == 40));
    assert!(value("SIPCALL_SANDBOX").is_some_and(|http| http.starts_with("127.0.0.1:")));
    let python = value("PYTHONPATH").unwrap();
    assert!(!std::path::Path::new(python).exists(), "{python} was left behind");
}

#[test]
fn a_command_inside_a_sandbox_calls_through_it() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_sipcall");
    let run = home.run(&format!("sandbox --answer-xml answer.xml -- {program} invite bob -H Test=Sample --talk 0"));
    assert!(run.expect(0).out.contains("sent      X-PH-Test: Sample"));
    assert_eq!(home.rows().len(), 1);
}

#[test]
fn what_the_sandbox_records_of_a_call_is_told_with_its_file() {
    let home = Home::new();
    home.write("answer.xml", "<Response><Record timeout=\"1\" playBeep=\"false\"/></Response>");
    let out = home.run("invite sip:john@phone.plivo.com --sandbox --answer-xml answer.xml").expect(0).out;
    assert!(out.contains("recorded   1.0 s: /recordings/") && out.contains("4010 End Of XML Instructions"), "{out}");
}

#[test]
fn beyond_the_loopback_credentials_have_to_be_given() {
    let run = Home::new().run("sandbox --sip 0.0.0.0:0 --http 127.0.0.1:0").expect(2);
    assert!(run.err.contains("--auth-token"), "{}", run.err);
}

#[test]
fn numbers_are_given_to_callees_and_the_headers_are_shown_on_their_way() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_sipcall");
    home.write("answer.xml", "<Response><Hangup/></Response>");
    let sandbox = "sandbox --answer-xml answer.xml --number +12025551234=busy --app 1001=http://127.0.0.1:9/a";
    let invite = format!("{program} invite sip:bob@phone.plivo.com -H Test=Sample -H 'X-Other: 1' -q --expect 480");
    let run = home.run(&format!("{sandbox} -- {invite}"));
    let shown = run.out.clone() + &run.err;
    assert!(shown.contains("the INVITE carries X-PH-Test: Sample, X-Other: 1; X-Other is dropped"), "{shown}");
}

#[test]
fn the_help_of_the_sandbox_has_the_tables_of_callees_and_faults() {
    let help = Home::new().run("sandbox --help").expect(0).out;
    for line in
        ["  noanswer         rings, and nobody answers", "  +1555000<CODE>   is refused", "  stale-binding    486"]
    {
        assert!(help.contains(line), "{line}: {help}");
    }
}

#[test]
fn endpoints_come_from_a_file_that_nobody_else_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    home.write("endpoints.toml", "[endpoint.carol]\npassword = \"wonderland\"\n");
    let path = home.path("endpoints.toml");
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let line = "sandbox --endpoints endpoints.toml -- sh -c 'exit 9'";
    assert!(home.run(line).expect(3).err.contains("can be read by others"));
    mode(0o600);
    home.run(line).expect(9);
    let program = env!("CARGO_BIN_EXE_sipcall");
    let register = format!("{program} register carol --once -q");
    home.run(&format!("sandbox --endpoints endpoints.toml -- {register}")).expect(0);
}

#[test]
fn what_the_flags_of_the_sandbox_do_not_take_is_told_with_what_they_take() {
    for (flags, text) in [
        ("--number 1=alice", "write a number"),
        ("--number +12025551234=alice", "write sip:USER"),
        ("--verified +12025551234", "--trial"),
        ("--fault none", "stale-binding"),
        ("--app 1=ftp://h", "http://"),
        ("--app 1=http://h --app-auth 2=a:b", "name the application by --app 2=URL"),
    ] {
        let run = Home::new().run(&format!("sandbox {flags} -- true")).expect(2);
        assert!(run.err.contains(text), "{flags}: {}", run.err);
    }
}
