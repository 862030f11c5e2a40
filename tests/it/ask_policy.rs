//! Faults of ask tables, and of rules that name them.

use crate::support::Env;
use roomkey::Policy;

const RULE: &str = "[[allow]]\nrooms = [\"team-*\"]\nrole = \"viewer\"\nask = \"members\"\n";

/// The faults of a policy with `rule` and these lines in the ask table, which starts in line 6.
fn faults(rule: &str, table: &str) -> Vec<String> {
    let text = format!("{rule}\n[ask.members]\n{table}\n");
    match Policy::parse(&text) {
        Ok(_) => Vec::new(),
        Err(error) => error.to_string().lines().map(str::to_owned).collect(),
    }
}

#[test]
fn ask_table_is_accepted_or_rejected_by_its_fields() {
    let url = |url: &str| format!("url = '{url}'");
    let with = |line: &str| format!("url = \"https://api.example.com/{{sub}}\"\n{line}");
    let scheme = Some((7, "url must be an absolute https URL"));
    let authority = Some((7, "url must have a constant scheme, host and port"));
    let brace = Some((7, "url must have balanced braces"));
    let header = "headers must not have one that roomkey or the connection sets";
    let value = "a header of ask must be a constant string";
    #[rustfmt::skip]
    let rows: Vec<(String, Option<(usize, &str)>)> = vec![
        (url("https://api.example.com/rooms/{room}/members/{sub}"), None),
        (url("https://api.example.com"),                  None),
        (url("https://api.example.com?r={room}"),         None),
        (url("https://api.example.com:8443/{room.rest}"), None),
        (url("https://[2001:db8::1]/{room}"),             None),
        (url("http://127.0.0.1:3000/{room}"),             None),
        (url("http://localhost/{room}"),                  None),
        (url("http://[::1]:80/{room}"),                   None),
        (url("https://api.example.com/{https://app.example/org.id}"), None),
        (url("https://api.example.com/a%20b?x=eq.{sub}&select=role&or=(a.eq.1,b.is.null)"), None),
        (url("http://api.example.com/{room}"),            scheme),
        (url("http://10.0.0.1/{room}"),                   scheme),
        (url("http://localhost.example.com/{room}"),      scheme),
        (url("ftp://api.example.com/{room}"),             scheme),
        (url("wss://api.example.com/{room}"),             scheme),
        (url("//api.example.com/{room}"),                 scheme),
        (url("/rooms/{room}"),                            scheme),
        (url("api.example.com/{room}"),                   scheme),
        (url("https:///rooms"),                           scheme),
        (url("https://user:pass@api.example.com/"),       scheme),
        (url("https://user@api.example.com/"),            scheme),
        (url("http://127.0.0.1@api.example.com/"),        scheme),
        (url("https://api.example.com:port/"),            scheme),
        (url("https://{org}.example.com/"),               authority),
        (url("https://{room}/"),                          authority),
        (url("https://api.example.com{room}"),            authority),
        (url("https://api.example.com:{port}/"),          authority),
        (url("{scheme}://api.example.com/"),              authority),
        (url("https://api.example.com/#top"),             Some((7, "url must have no fragment"))),
        (url("https://api.example.com#{room}"),           Some((7, "url must have no fragment"))),
        (url("https://api.example.com/{room}#x"),         Some((7, "url must have no fragment"))),
        (url("https://api.example.com/{room"),            brace),
        (url("https://api.example.com/room}"),            brace),
        (url("https://api.example.com/{}"),               brace),
        (url("https://api.example.com/{{room}}"),         brace),
        (url("https://api.example.com/{ room }"),         brace),
        (url("https://api.example.com/a b"),              Some((7, "url must consist of characters"))),
        (url("https://api.example.com/caf\u{e9}"),        Some((7, "url must consist of characters"))),
        ("url = \"https://api.example.com/\\n\"".into(),  Some((7, "url must consist of characters"))),
        ("url = ''".into(),                               Some((7, "url must be a non-empty string"))),
        ("url = 1".into(),                                Some((7, "url must be a non-empty string"))),
        (String::new(),                                   Some((6, "the ask table has no url"))),
        (with("forward = \"bearer\""),                    None),
        (with("forward = \"none\""),                      None),
        (with("forward = \"Bearer\""),                    Some((8, "forward must be bearer or none"))),
        (with("forward = true"),                          Some((8, "forward must be bearer or none"))),
        (with("sign = true"),                             None),
        (with("sign = \"yes\""),                          Some((8, "must be true or false"))),
        (with("non_empty = true"),                        None),
        (with("non_empty = 1"),                           Some((8, "must be true or false"))),
        (with("cache_seconds = 0"),                       None),
        (with("cache_seconds = 60"),                      None),
        (with("cache_seconds = 61"),                      Some((8, "cache_seconds must be a whole number from 0 to 60"))),
        (with("cache_seconds = -1"),                      Some((8, "cache_seconds must be a whole number from 0 to 60"))),
        (with("cache_seconds = 1.5"),                     Some((8, "cache_seconds must be a whole number from 0 to 60"))),
        (with("cache_seconds = \"10\""),                  Some((8, "cache_seconds must be a whole number from 0 to 60"))),
        (with("role_from = \"role\"\nroles = [\"host\"]"), None),
        (with("role_from = \"0.role\"\nroles = [\"host\", \"viewer\"]"), None),
        (with("role_from = \"role\""),                    Some((8, "role_from must have roles beside it"))),
        (with("roles = [\"host\"]"),                      Some((8, "roles must have role_from beside it"))),
        (with("role_from = \"\"\nroles = [\"host\"]"),    Some((8, "role_from must be a path"))),
        (with("role_from = \" role\"\nroles = [\"host\"]"), Some((8, "role_from must be a path"))),
        (with("role_from = 0\nroles = [\"host\"]"),       Some((8, "role_from must be a path"))),
        (with("role_from = \"role\"\nroles = []"),        Some((9, "roles must be a non-empty list of roles"))),
        (with("role_from = \"role\"\nroles = \"host\""),  Some((9, "roles must be a non-empty list of roles"))),
        (with("role_from = \"role\"\nroles = [\"admin\"]"), Some((9, "roles must list roles of this policy"))),
        (with("role_from = \"role\"\nroles = [\"Host\"]"), Some((9, "roles must list roles of this policy"))),
        (with("role_from = \"role\"\nroles = [1]"),       Some((9, "roles must list roles of this policy"))),
        (with("role_from = \"role\"\nroles = [\"own\"]\n[roles.own]"), None),
        (with("headers = { apikey = \"x\" }"),            None),
        (with("headers = { authorization = \"Basic eA==\" }"), None),
        (with("headers = { apikey = \"x\" }\nforward = \"bearer\""), None),
        (with("headers = { Authorization = \"Basic eA==\" }\nforward = \"bearer\""), Some((6, "headers must not have authorization if forward is bearer"))),
        (with("headers = { X-Roomkey-Signature = \"x\" }"), Some((8, header))),
        (with("headers = { x-roomkey-other = \"x\" }"),   Some((8, header))),
        (with("headers = { Host = \"x\" }"),              Some((8, header))),
        (with("headers = { content-length = \"0\" }"),    Some((8, header))),
        (with("headers = { Transfer-Encoding = \"x\" }"), Some((8, header))),
        (with("headers = { connection = \"close\" }"),    Some((8, header))),
        (with("headers = { accept = \"*/*\" }"),          Some((8, header))),
        (with("headers = { user-agent = \"x\" }"),        Some((8, header))),
        (with("headers = { accept-encoding = \"gzip\" }"), Some((8, header))),
        (with("headers = { apikey = \"\" }"),             Some((8, value))),
        (with("headers = { apikey = \" x\" }"),           Some((8, value))),
        (with("headers = { apikey = \"x\\r\\ny: z\" }"),  Some((8, value))),
        (with("headers = { apikey = \"{sub}\" }"),        Some((8, value))),
        (with("headers = { apikey = \"\u{e9}\" }"),       Some((8, value))),
        (with("headers = { apikey = 1 }"),                Some((8, value))),
        (with("headers = { \"a b\" = \"x\" }"),           Some((8, "headers must have names that a header can have"))),
        (with("headers = { apikey = \"x\", ApiKey = \"y\" }"), Some((8, "headers must not have two names"))),
        (with("headers = \"apikey: x\""),                 Some((8, "headers must be a table of strings"))),
        (with("method = \"POST\""),                       Some((8, "no such field of an ask table"))),
        (with("Zx9marker = 1"),                           Some((8, "no such field of an ask table"))),
        (with("cache = 1"),                               Some((8, "no such field of an ask table"))),
    ];
    for (table, expected) in rows {
        let found = faults(RULE, &table);
        match expected {
            None => assert_eq!(found, Vec::<String>::new(), "{table}"),
            Some((line, reason)) => {
                assert_eq!(found.len(), 1, "{table}: {found:?}");
                assert!(found[0].starts_with(&format!("{line}: {reason}")), "{table}: {found:?}");
                assert!(!found[0].contains("Zx9marker"), "{found:?}");
            }
        }
    }
}

#[test]
fn rule_names_an_ask_table_that_fits_it() {
    let rule = |lines: &str| format!("[[allow]]\nrole = \"viewer\"\n{lines}\n");
    let (room, rest, sub) = ("/{room}", "/{room.rest}", "/{sub}");
    let liveblocks = "a rule with liveblocks must not ask with a URL that contains the room";
    let stars = "a rule that asks with {room.rest} must have only patterns with a star in rooms";
    let unused = "no rule names this ask table";
    #[rustfmt::skip]
    let rows = [
        ("rooms = [\"*\"]\nask = \"members\"",                            room, vec![]),
        ("rooms = [\"lobby\"]\nask = \"members\"",                        room, vec![]),
        ("rooms = [\"lobby\", \"team-*\"]\nask = \"members\"",            rest, vec![(4, stars)]),
        ("rooms = [\"team-*\", \"x-*\"]\nask = \"members\"",              rest, vec![]),
        ("rooms = [\"*\"]\nask = \"members\"\nliveblocks = [\"doc-*\"]",  sub,  vec![]),
        ("rooms = [\"*\"]\nask = \"members\"\nliveblocks = [\"doc-*\"]",  room, vec![(4, liveblocks)]),
        ("rooms = [\"*\"]\nask = \"members\"\nliveblocks = [\"doc-*\"]",  rest, vec![(4, liveblocks)]),
        ("rooms = [\"*\"]",                                               sub,  vec![(5, unused)]),
        ("rooms = [\"*\"]\nask = \"member\"",                             sub,  vec![(4, "ask must be the name of a table"), (6, unused)]),
        ("rooms = [\"*\"]\nask = \"\"",                                   sub,  vec![(4, "must be a non-empty string"), (6, unused)]),
        ("rooms = [\"*\"]\nask = [\"members\"]",                          sub,  vec![(4, "must be a non-empty string"), (6, unused)]),
        ("rooms = [\"*\"]\nask = true",                                   sub,  vec![(4, "must be a non-empty string"), (6, unused)]),
    ];
    for (lines, path, expected) in rows {
        let found = faults(&rule(lines), &format!("url = 'https://api.example.com{path}'"));
        assert_eq!(found.len(), expected.len(), "{lines} {path}: {found:?}");
        for (found, (line, reason)) in found.iter().zip(expected) {
            assert!(found.starts_with(&format!("{line}: {reason}")), "{lines} {path}: {found}");
        }
    }
}

#[test]
fn ask_is_tables_with_plain_names() {
    let rule = "[[allow]]\nrooms = [\"*\"]\nrole = \"viewer\"\n";
    for (text, line, reason) in [
        ("[ask.\"a b\"]\nurl = 'https://api.example.com'\n", 4, "the name of an ask table must be"),
        ("[ask]\nurl = 'https://api.example.com'\n", 5, "an ask table must be a table"),
        (
            "[[ask]]\nurl = 'https://api.example.com'\n",
            4,
            "ask must be tables, each headed [ask.name]",
        ),
        ("[ask.a]\nurl = 'https://api.example.com'\n[ask.a]\n", 6, "is not TOML"),
    ] {
        let error = Policy::parse(&format!("{rule}{text}")).unwrap_err();
        let is_named = |fault: &&roomkey::policy::PolicyFault| {
            fault.line == line && fault.reason.starts_with(reason)
        };
        assert!(error.faults().iter().any(|fault| is_named(&fault)), "{text}: {error}");
    }
}

#[test]
fn fault_of_an_ask_table_is_reported_with_faults_of_variables() {
    let policy =
        format!("{RULE}\n[ask.members]\nurl = \"http://api.example.com/Zx9marker\"\nsign = true\n");
    let env = Env::offline().with("POLICY", &policy).with("TOKEN_TTL_SECONDS", "1");
    let error = env.config().err().expect("two faults").to_string();
    assert!(error.contains("POLICY:7: url must be an absolute https URL"), "{error}");
    assert!(error.contains("TOKEN_TTL_SECONDS must"), "{error}");
    assert!(!error.contains("Zx9marker"), "{error}");
}
