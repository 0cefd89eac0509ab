//! Broken values are errors with a kind and a place; what whole values say is in the tables of `report::typed`.

use super::*;
use crate::wire::NameAddr;

fn fails<'a, T: TypedHeader<'a> + std::fmt::Debug>(table: &[(&'a str, HeaderErrorKind, usize)]) {
    for (value, kind, offset) in table {
        let error = T::parse(value.as_bytes()).map(|value| panic!("{}: {value:?}", T::ID)).unwrap_err();
        assert_eq!((error.kind, error.offset), (*kind, *offset), "{}: {value:?}", T::ID);
    }
}

#[test]
fn broken_dates_are_told_by_their_place() {
    use HeaderErrorKind::{Date as Kind, Trailing};
    fails::<Date>(&[
        ("", Kind, 0),
        ("Fri, 01 Jan 2010 16:00:00 EST", Kind, 26),
        ("Fre, 01 Jan 2010 16:00:00 GMT", Kind, 0),
        ("Fri 01 Jan 2010 16:00:00 GMT", Kind, 3),
        ("Fri, 1 Jan 2010 16:00:00 GMT", Kind, 5),
        ("Fri, 29 Feb 2100 16:00:00 GMT", Kind, 5),
        ("Fri, 00 Jan 2010 16:00:00 GMT", Kind, 5),
        ("Fri, 01 jan 2010 16:00:00 GMT", Kind, 8),
        ("Fri, 01 Jan 10 16:00:00 GMT", Kind, 12),
        ("Fri, 01 Jan 2010 24:00:00 GMT", Kind, 17),
        ("Fri, 01 Jan 2010 16:60:00 GMT", Kind, 20),
        ("Fri, 01 Jan 2010 16:00:61 GMT", Kind, 23),
        ("Fri, 01 Jan 2010 16:00 GMT", Kind, 22),
        ("Fri, 01 Jan 2010 16:00:00", Kind, 25),
        ("Fri, 01 Jan 2010 16:00:00 GMT+1", Kind, 26),
        ("Fri, 01 Jan 2010 16:00:00 GMT x", Trailing, 30),
    ]);
}

#[test]
fn a_month_has_its_days_and_no_more() {
    let is_date = |day: u8, month: &str, year: u16| {
        Date::parse(format!("Sun, {day:02} {month} {year} 12:00:00 GMT").as_bytes()).is_ok()
    };
    for (month, days, year) in [
        ("Jan", 31, 2025),
        ("Feb", 28, 2025),
        ("Feb", 29, 2024),
        ("Feb", 29, 2000),
        ("Feb", 28, 1900),
        ("Mar", 31, 2025),
        ("Apr", 30, 2025),
        ("May", 31, 2025),
        ("Jun", 30, 2025),
        ("Jul", 31, 2025),
        ("Aug", 31, 2025),
        ("Sep", 30, 2025),
        ("Oct", 31, 2025),
        ("Nov", 30, 2025),
        ("Dec", 31, 2025),
    ] {
        assert_eq!([1, days, days + 1].map(|day| is_date(day, month, year)), [true, true, false], "{month} {year}");
    }
}

#[test]
fn dates_are_seconds_since_1970() {
    let seconds = |text: &str| Date::parse(text.as_bytes()).unwrap().unix_seconds();
    assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    assert_eq!(seconds("Wed, 31 Dec 1969 23:59:59 GMT"), -1);
    assert_eq!(seconds("Thu, 29 Feb 2024 12:34:56 GMT"), 1_709_210_096);
    assert_eq!(seconds("Sat, 01 Jan 2000 00:00:00 GMT"), 946_684_800);
    assert_eq!(seconds("Sat, 31 Dec 2016 23:59:60 GMT"), seconds("Sun, 01 Jan 2017 00:00:00 GMT"));
}

#[test]
fn broken_words_and_numbers_are_told_by_their_place() {
    use HeaderErrorKind::{Control, Number, Range, Token, Trailing, Utf8, Word};
    fails::<MimeVersion>(&[("1", Number, 1), ("1.", Number, 2), ("1.0.1", Trailing, 3), (".1", Number, 0)]);
    fails::<Timestamp<'_>>(&[
        ("", Number, 0),
        (".5", Number, 0),
        ("5 x", Number, 2),
        ("5x", Trailing, 1),
        ("5 6 7", Trailing, 4),
    ]);
    fails::<Priority<'_>>(&[("", Token, 0), ("very urgent", Trailing, 5)]);
    fails::<Supported<'_>>(&[("100rel;x", Trailing, 6)]);
    fails::<ContentLanguage<'_>>(&[("en_US", Token, 0), ("en-", Token, 0), ("internationally", Token, 0)]);
    fails::<FlowTimer>(&[("", Number, 0), ("4294967296", Range, 0), ("12s", Trailing, 2)]);
    fails::<Subject<'_>>(&[("a\u{7}b", Control, 1)]);
    fails::<ReferSub<'_>>(&[("", Token, 0), ("yes", Word, 0)]);
    fails::<AcceptContact<'_>>(&[("", Word, 0), ("<sip:a@b>", Word, 0), ("*x", Trailing, 1)]);
    assert_eq!(Subject::parse(b"caf\xe9").unwrap_err(), HeaderError { kind: Utf8, offset: 3 });
    fails::<SessionId<'_>>(&[
        ("ab30317f1a784dc48ff824d0d3715d8", Token, 0),
        ("ab30317f1a784dc48ff824d0d3715d86;remote=5", HeaderErrorKind::Parameter, 33),
    ]);
}

#[test]
fn broken_texts_about_software_and_warnings_are_told_by_their_place() {
    use HeaderErrorKind::{Comment, Quote, Range, Token};
    fails::<UserAgent<'_>>(&[("", Token, 0), ("a/", Token, 2), ("a (b", Comment, 4), ("a [b]", Token, 2)]);
    fails::<Server<'_>>(&[("a)", Token, 1), ("a/1/2", Token, 3)]);
    fails::<Warning<'_>>(&[
        ("", HeaderErrorKind::Number, 0),
        ("1812 overture \"x\"", Range, 0),
        ("99 a \"x\"", HeaderErrorKind::Number, 0),
        ("099 a \"x\"", Range, 0),
        ("0399 a \"x\"", Range, 0),
        ("399", Token, 3),
        ("399 a", Token, 5),
        ("399 a x", Quote, 6),
        ("399 a \"x", Quote, 8),
        ("399 a \"x\" y", HeaderErrorKind::Trailing, 10),
    ]);
}

#[test]
fn broken_bodies_and_preferences_are_told_by_their_place() {
    use HeaderErrorKind::{Angle, Empty, Parameter, Token};
    fails::<ContentId<'_>>(&[
        ("a@b", Angle, 0),
        ("<>", Empty, 1),
        ("<ab>", Token, 1),
        ("<@b>", Token, 1),
        ("<a@b", Angle, 4),
    ]);
    fails::<AcceptEncoding<'_>>(&[("gzip;q=2", Parameter, 5), ("gzip;q", Parameter, 5), (";q=1", Token, 0)]);
    fails::<AcceptLanguage<'_>>(&[("e!;q=1", Token, 0), ("en;q=0.1234", Parameter, 3)]);
    fails::<Accept<'_>>(&[("text", Token, 4), ("text/plain;q=x", Parameter, 11)]);
    fails::<ContentDisposition<'_>>(&[("", Token, 0), ("session;", Parameter, 8)]);
}

#[test]
fn broken_names_of_dialogs_are_told_by_their_place() {
    use HeaderErrorKind::{CallId as Kind, MissingParameter, Parameter};
    fails::<Join<'_>>(&[
        ("", Kind, 0),
        ("a@b;to-tag=1", MissingParameter, 12),
        ("a@b;to-tag;from-tag=1", Parameter, 4),
    ]);
    fails::<TargetDialog<'_>>(&[("a;local-tag=1", MissingParameter, 13), ("a;remote-tag=\"1\"", Parameter, 2)]);
    fails::<InReplyTo<'_>>(&[("a b", HeaderErrorKind::Trailing, 2), ("a@", Kind, 2)]);
}

#[test]
fn broken_uris_and_identities_are_told_by_their_place() {
    use HeaderErrorKind::{Angle, MissingParameter, Parameter, Quote, Token, Uri};
    fails::<CallInfo<'_>>(&[
        ("", Angle, 0),
        ("http://a", Angle, 0),
        ("<http://a", Angle, 1),
        ("<a>", Uri(UriErrorKind::Scheme), 2),
        ("<http://a> x", HeaderErrorKind::Trailing, 11),
    ]);
    fails::<Identity<'_>>(&[
        ("", Token, 0),
        ("eyJ.x.y", MissingParameter, 7),
        ("eyJ;info=<https://a", Angle, 10),
        ("eyJ;info", Parameter, 8),
        ("\"eyJ", Quote, 4),
    ]);
    fails::<Privacy<'_>>(&[("", Token, 0), ("id;", Token, 3), ("id,user", HeaderErrorKind::Trailing, 2)]);
    fails::<UserToUser<'_>>(&[("", Token, 0), ("\"56", Quote, 3), ("56;encoding=", Parameter, 12)]);
    fails::<PChargingVector<'_>>(&[("orig-ioi=a", MissingParameter, 0), ("icid-value", Parameter, 10)]);
    fails::<PChargingFunctionAddresses<'_>>(&[("", Parameter, 0), ("ccf=", Parameter, 4)]);
    fails::<PVisitedNetworkId<'_>>(&[("\"x", Quote, 2), ("a b", HeaderErrorKind::Trailing, 2)]);
    fails::<PAccessNetworkInfo<'_>>(&[("", Token, 0)]);
}

#[test]
fn a_contact_tells_its_instance_and_flow() {
    let value = "<sip:a@192.0.2.1;ob>;reg-id=2;+sip.instance=\"<urn:uuid:0c67446e-f1a1-11d9-94d3-000a95a0e128>\"";
    let contact = NameAddr::parse(value.as_bytes()).unwrap();
    assert_eq!(contact.instance().as_deref(), Some("urn:uuid:0c67446e-f1a1-11d9-94d3-000a95a0e128"));
    assert_eq!((contact.reg_id(), contact.is_outbound()), (Some(2), true));
    let escaped = NameAddr::parse(b"<sip:a@b>;+sip.instance=\"<urn:\\x:y>\"").unwrap();
    assert_eq!(escaped.instance().as_deref(), Some("urn:x:y"));
    let other = NameAddr::parse(b"<sip:a@b>;reg-id=0;+sip.instance=urn:x").unwrap();
    assert_eq!((other.instance(), other.reg_id(), other.is_outbound()), (None, None, false));
}

#[test]
fn preferences_say_what_is_required() {
    for (value, is_required, is_explicit) in
        [("*;audio;methods=\"BYE\";require", true, false), ("*;explicit;audio", false, true)]
    {
        let wanted = AcceptContact::parse(value.as_bytes()).unwrap();
        assert_eq!((wanted.is_required(), wanted.is_explicit()), (is_required, is_explicit), "{value}");
    }
    let privacy = Privacy::parse(b"id ; CRITICAL").unwrap();
    assert!(privacy.has("critical") && !privacy.has("user"));
}

#[test]
fn a_type_is_both_of_its_names() {
    let body = ContentType::parse(b"Application/SDP;charset=utf-8").unwrap();
    let is = [("application", "sdp"), ("application", "json"), ("text", "sdp"), ("text", "plain")];
    assert_eq!(is.map(|(kind, subtype)| body.is(kind, subtype)), [true, false, false, false]);
}

#[test]
fn parameters_that_are_asked_for_by_name_are_found_by_it() {
    let event = Event::parse(b"dialog;x=1;ID=7").unwrap();
    assert_eq!((event.id(), Event::parse(b"dialog").unwrap().id()), (Some("7"), None));
    let info = CallInfo::parse(b"<http://a/b.png>;x=1;purpose=icon").unwrap();
    assert_eq!((info.purpose(), CallInfo::parse(b"<http://a>").unwrap().purpose()), (Some("icon"), None));
    let data = UserToUser::parse(br#""5\6";encoding=hex;purpose=isdn-uui;content=isdn-uui2"#).unwrap();
    assert_eq!((data.data, &*data.text()), (r#""5\6""#, "56"));
    assert_eq!((data.encoding(), data.purpose(), data.content()), (Some("hex"), Some("isdn-uui"), Some("isdn-uui2")));
    let bare = UserToUser::parse(b"56").unwrap();
    assert_eq!((&*bare.text(), bare.encoding(), bare.purpose(), bare.content()), ("56", None, None, None));
    let identity = Identity::parse(b"eyJ;info=<https://a>;ppt=\"shaken\";alg=ES256;x=1").unwrap();
    assert_eq!((identity.alg, identity.ppt), (Some("ES256"), Some("shaken")));
}

#[test]
fn a_name_in_angle_brackets_and_a_word_are_taken_in_their_forms() {
    assert_eq!(ContentId::parse(b"<a.1@b>"), Ok(ContentId("a.1@b")));
    let subscribes = |value: &str| ReferSub::parse(value.as_bytes()).map(|found| found.subscribes);
    assert_eq!((subscribes("TRUE"), subscribes("false;x")), (Ok(true), Ok(false)));
}

#[test]
fn a_refresher_is_one_of_the_two_sides() {
    let refresher = |value: &str| SessionExpires::parse(value.as_bytes()).map(|found| found.refresher);
    assert_eq!(refresher("90"), Ok(None));
    assert_eq!(refresher("90;refresher=uac"), Ok(Some(Refresher::Uac)));
    assert_eq!(refresher("90;x;Refresher=UAS"), Ok(Some(Refresher::Uas)));
    fails::<SessionExpires<'_>>(&[
        ("90;refresher=proxy", HeaderErrorKind::Parameter, 3),
        ("90;refresher", HeaderErrorKind::Parameter, 3),
    ]);
}

#[test]
fn a_time_may_have_a_part_and_a_delay_nothing_else() {
    let time = |value: &str| {
        Timestamp::parse(value.as_bytes()).map(|time| (time.sent.to_owned(), time.delay.map(str::to_owned)))
    };
    for (value, sent, delay) in
        [("54", "54", None), ("54.", "54.", None), ("1.5 .25", "1.5", Some(".25")), ("1 2.", "1", Some("2."))]
    {
        assert_eq!(time(value), Ok((sent.to_owned(), delay.map(str::to_owned))), "{value}");
    }
    fails::<Timestamp<'_>>(&[("1 .", HeaderErrorKind::Number, 2), (".", HeaderErrorKind::Number, 0)]);
}

#[test]
fn comments_nest_and_may_escape_their_brackets() {
    let agent = UserAgent::parse(br"a/1 (b (c) \) d) e (f\() g/2").unwrap();
    let products: Vec<_> = agent.products().collect();
    use Product::{Comment, Named};
    assert_eq!(
        products,
        [Named("a", Some("1")), Comment(r"b (c) \) d"), Named("e", None), Comment(r"f\("), Named("g", Some("2"))]
    );
}

#[test]
fn a_warning_is_shown_without_quotes_escapes_and_folds() {
    for (value, says) in [
        ("399 a \"b c\"", "b c"),
        ("399 a:5060 \"b \\\"c\\\"\"", "b \"c\""),
        ("399 a \"b\r\n c\"", "b c"),
        ("399 a \"\"", ""),
    ] {
        assert_eq!(Warning::parse(value.as_bytes()).unwrap().text(), says);
    }
}
